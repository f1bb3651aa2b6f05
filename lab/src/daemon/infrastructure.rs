//! What a cluster runs on: files that programs see in place of the machine's, the network with its
//! nodes, the simulated Azure, certificates.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure_sim::AzureSim;

use super::error::DaemonError;
use super::listeners::HostListeners;
use super::pki::Pki;
use super::steps::{StepError, step};
use super::{cloud, mounts};
use crate::cgroup::{CgroupError, Controllers};
use crate::control::Endpoints;
use crate::layout::{CONTROL_PLANE, Layout, NodeLayout};
use crate::net::{self, Fabric};
use crate::options::{NodeAgent, Target};
use crate::sandbox::ContainerHost;
use crate::spec::{ENDPOINTS_FILE, Spec};
use crate::state::StateDir;
use crate::targets::{RunningTarget, Targets};

/// How long a step may take that only asks the kernel or this process.
const QUICK: Duration = Duration::from_secs(20);

/// All that is there before the first program of the control plane.
pub(super) struct Infrastructure {
    pub(super) layout: Arc<Layout>,
    pub(super) targets: Targets,
    pub(super) pki: Pki,
    pub(super) fabric: Arc<Fabric>,
    pub(super) endpoints: Endpoints,
    /// Where the API server is reached from outside.
    pub(super) api_server: TcpListener,
    /// Its listeners end with this value.
    pub(super) sim: AzureSim,
}

impl Infrastructure {
    pub(super) async fn build(
        dir: &StateDir,
        cgroup: &Path,
        spec: &Spec,
        listeners: HostListeners,
    ) -> Result<Self, DaemonError> {
        let options = &spec.options;
        let layout = Arc::new(Layout::new(&options.name, options.network, &options.nodes));
        let targets = Targets::default();
        targets.insert(Target::ControlPlane, control_plane(cgroup));
        let pki = Pki::create(dir).map_err(StepError::of("certificates"))?;
        let seed = cloud::seed(options.seed.as_ref(), &layout, &pki.ca)
            .map_err(StepError::of("azure-sim"))?;
        let endpoints = listeners
            .endpoints(seed.tenant_id.clone())
            .map_err(DaemonError::Loopback)?;
        dir.write_json(ENDPOINTS_FILE, &endpoints)?;
        pki.write_kubeconfigs(dir, &layout.name, endpoints.api_server)
            .map_err(StepError::of("kubeconfigs"))?;
        let authority = cloud::authority().map_err(StepError::of("azure-sim"))?;
        // Before any node: its mount namespace starts as a copy of this one.
        let trusted = [authority.cert_pem.as_str(), &pki.ca];
        mounts::bind_files(dir, &layout, &cloud::hosts(&seed), &trusted)?;
        let host = |node: &NodeLayout| container_host(dir, cgroup, spec, node);
        let network = net::build(&layout, cgroup, &targets, host);
        let fabric = step("network", QUICK, network).await?;
        let starting = cloud::start(seed, options.speed, authority, listeners.cloud);
        let sim = step("azure-sim", QUICK, starting).await?;
        cloud::serve_imds(&sim, Arc::clone(&layout))
            .map_err(StepError::of("instance metadata service"))?;
        Ok(Self {
            layout,
            targets,
            pki,
            fabric: Arc::new(fabric),
            endpoints,
            api_server: listeners.api_server,
            sim,
        })
    }
}

/// What a node has besides where containers run. Its programs are in the cache of built ones,
/// and read files of the lab.
fn container_host(
    dir: &StateDir,
    cgroup: &Path,
    spec: &Spec,
    node: &NodeLayout,
) -> Result<Option<ContainerHost>, CgroupError> {
    if spec.options.node_agent == NodeAgent::StandIn {
        return Ok(None);
    }
    let cache = spec.tools.parent().unwrap_or(&spec.tools);
    Ok(Some(ContainerHost {
        hierarchies: Controllers::find()?.create(cgroup, &node.name)?,
        keep: vec![dir.path().to_owned(), cache.to_owned()],
    }))
}

/// The daemon's own namespaces are the control plane's.
fn control_plane(cgroup: &Path) -> RunningTarget {
    RunningTarget {
        pid: std::process::id(),
        cgroup: cgroup.join("control-plane"),
        cgroups_v1: Vec::new(),
        address: Some(CONTROL_PLANE.into()),
        env: BTreeMap::new(),
    }
}
