//! The start-up of a lab in an empty network namespace, and its run until a part ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::error::DaemonError;
use super::infrastructure::Infrastructure;
use super::listeners::HostListeners;
use super::node_agent::NodeAgents;
use super::parts::Parts;
use super::programs::{come_up, start_api_server};
use super::requests::Requests;
use super::steps::{StepError, step};
use super::supervise::Supervisor;
use super::{control_server, environment, forward};
use crate::context::Context;
use crate::events::{self, Event};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE};
use crate::net::Fabric;
use crate::options::{NodeAgent, UpOptions};
use crate::spec::Spec;
use crate::state::StateDir;
use crate::tools::Toolset;

/// How long containerd may take to start and to import images, on a busy machine.
const AGENTS: Duration = Duration::from_secs(120);

/// Runs the lab until a part that must not end does.
pub(super) async fn serve(
    dir: &StateDir,
    cgroup: &Path,
    spec: Spec,
    listeners: HostListeners,
) -> Result<(), DaemonError> {
    let base = Infrastructure::build(dir, cgroup, &spec, listeners).await?;
    let tools = Toolset::at(spec.tools);
    let supervisor = Supervisor::new(base.targets.clone(), dir.clone());
    let env = environment::service(dir);
    let cluster = Cluster {
        tools: &tools,
        dir,
        pki: &base.pki,
        flux: spec.options.flux,
        env: &env,
    };
    let client = start_api_server(&cluster, &supervisor).await?;
    let context = context(dir, cgroup, &base, client);

    let (parts, mut ending) = Parts::new();
    let api_server = SocketAddr::from((CONTROL_PLANE, API_SERVER_PORT));
    let forwarding = forward::forward(base.api_server, api_server);
    parts.run("the forwarder", forwarding);
    let (options, fabric) = (&spec.options, &base.fabric);
    tokio::select! {
        up = come_up_with_nodes(&cluster, &supervisor, &context, &parts, fabric, options) => up?,
        ended = ending.first() => return Err(ended),
    }
    let requests = Requests::new(context, supervisor, base.endpoints, options.node_agent);
    accept_requests(&parts, dir, requests)?;
    events::emit(&Event::Up);
    let ended = ending.first().await;
    // The simulated Azure ends with this value, not before.
    drop(base.sim);
    Err(ended)
}

/// Starts what does a kubelet's part on the nodes, and all else that needs the API server, side by
/// side.
async fn come_up_with_nodes(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
    context: &Context,
    parts: &Parts,
    fabric: &Arc<Fabric>,
    options: &UpOptions,
) -> Result<(), StepError> {
    let rest = Box::pin(come_up(cluster, supervisor, context, parts));
    if options.node_agent == NodeAgent::StandIn {
        let kubelets = crate::kubelet::run(context.clone(), Arc::clone(fabric));
        parts.run("the kubelet's part", kubelets);
        return rest.await;
    }
    let agents = NodeAgents {
        tools: cluster.tools,
        dir: cluster.dir,
        pki: cluster.pki,
        env: cluster.env,
        network: options.network,
        taints: &options.node_taints,
        supervisor,
    };
    let nodes = step("node agents", AGENTS, agents.start(fabric));
    tokio::try_join!(nodes, rest).map(drop)
}

fn context(dir: &StateDir, cgroup: &Path, base: &Infrastructure, client: kube::Client) -> Context {
    Context {
        layout: Arc::clone(&base.layout),
        dir: dir.clone(),
        cgroup: cgroup.to_owned(),
        client,
        targets: base.targets.clone(),
        program_env: Arc::new(environment::program(dir)),
        shutdown: CancellationToken::new(),
    }
}

/// Binds the control socket, so that requests reach it once the lab is said to be up.
fn accept_requests(parts: &Parts, dir: &StateDir, requests: Requests) -> Result<(), StepError> {
    let socket =
        UnixListener::bind(dir.control_socket()).map_err(StepError::of("the control socket"))?;
    parts.run(
        "the control socket",
        control_server::serve(socket, requests),
    );
    Ok(())
}
