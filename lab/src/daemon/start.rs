//! The start-up of a lab in an empty network namespace, and its run until a part ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure_sim::AzureSim;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::error::DaemonError;
use super::listeners::HostListeners;
use super::parts::Parts;
use super::pki::Pki;
use super::programs::{come_up, start_api_server};
use super::requests::Requests;
use super::steps::{StepError, step};
use super::supervise::Supervisor;
use super::{cloud, control_server, environment, forward, mounts};
use crate::context::Context;
use crate::events::{self, Event};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, Layout};
use crate::net::{self, Fabric};
use crate::options::Target;
use crate::spec::{ENDPOINTS_FILE, Spec};
use crate::state::StateDir;
use crate::targets::{RunningTarget, Targets};
use crate::tools::Toolset;

/// How long a step may take that only asks the kernel or this process.
const QUICK: Duration = Duration::from_secs(20);

/// Runs the lab until a part that must not end does.
pub(super) async fn serve(
    dir: &StateDir,
    cgroup: &Path,
    spec: Spec,
    listeners: HostListeners,
) -> Result<(), DaemonError> {
    let options = &spec.options;
    let layout = Arc::new(Layout::new(&options.name, options.network, &options.nodes));
    let tools = Toolset::at(spec.tools);
    let targets = Targets::default();
    targets.insert(Target::ControlPlane, control_plane(cgroup));
    let pki = Pki::create(dir).map_err(StepError::of("certificates"))?;
    let world = cloud::world(options.world.as_ref(), &layout, &pki.ca)
        .map_err(StepError::of("azure-sim"))?;
    let endpoints = listeners
        .endpoints(world.tenant_id.clone())
        .map_err(DaemonError::Loopback)?;
    dir.write_json(ENDPOINTS_FILE, &endpoints)?;
    pki.write_kubeconfigs(dir, &layout.name, endpoints.api_server)
        .map_err(StepError::of("kubeconfigs"))?;
    let authority = cloud::authority().map_err(StepError::of("azure-sim"))?;
    // Before any node: its mount namespace starts as a copy of this one.
    mounts::bind_files(
        dir,
        &layout,
        &cloud::hosts(&world),
        &[&authority.cert_pem, &pki.ca],
    )?;
    let fabric = step("network", QUICK, net::build(&layout, cgroup, &targets)).await?;
    let fabric = Arc::new(fabric);
    let starting = cloud::start(world, options.speed, authority, listeners.cloud);
    let sim = step("azure-sim", QUICK, starting).await?;
    serve_imds(&sim, &layout, &fabric)?;

    let supervisor = Supervisor::new(targets.clone(), dir.clone());
    let env = environment::service(dir);
    let cluster = Cluster {
        tools: &tools,
        dir,
        pki: &pki,
        env: &env,
    };
    let client = start_api_server(&cluster, &supervisor).await?;
    let context = Context {
        layout,
        dir: dir.clone(),
        cgroup: cgroup.to_owned(),
        client,
        targets,
        program_env: Arc::new(environment::program(dir)),
        shutdown: CancellationToken::new(),
    };

    let (parts, mut ending) = Parts::new();
    let api_server = SocketAddr::from((CONTROL_PLANE, API_SERVER_PORT));
    parts.run(
        "the forwarder",
        forward::forward(listeners.api_server, api_server),
    );
    parts.run(
        "the kubelet's part",
        crate::kubelet::run(context.clone(), fabric),
    );
    tokio::select! {
        up = come_up(&cluster, &supervisor, &context, &parts) => up?,
        ended = ending.first() => return Err(ended),
    }
    let requests = Requests::new(context, supervisor, endpoints);
    // Bound before anyone is told that the lab is up.
    let socket =
        UnixListener::bind(dir.control_socket()).map_err(StepError::of("the control socket"))?;
    parts.run(
        "the control socket",
        control_server::serve(socket, requests),
    );
    events::emit(&Event::Up);
    let ended = ending.first().await;
    // The simulator's listeners end with this value, not before.
    drop(sim);
    Err(ended)
}

/// The daemon's own namespaces are the control plane.
fn control_plane(cgroup: &Path) -> RunningTarget {
    RunningTarget {
        pid: std::process::id(),
        cgroup: cgroup.join("control-plane"),
        address: Some(CONTROL_PLANE.into()),
        env: std::collections::BTreeMap::new(),
    }
}

fn serve_imds(sim: &AzureSim, layout: &Layout, fabric: &Fabric) -> Result<(), StepError> {
    const PART: &str = "instance metadata service";
    for node in &layout.nodes {
        let listener = fabric
            .imds_listener(&node.name)
            .map_err(StepError::of(PART))?;
        sim.serve_imds(&node.resource_id, listener)
            .map_err(StepError::of(PART))?;
    }
    Ok(())
}
