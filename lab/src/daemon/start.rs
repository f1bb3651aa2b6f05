//! The start-up of a lab in an empty network namespace, and its run until a part ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::cluster::Cluster;
use super::error::DaemonError;
use super::infrastructure::Infrastructure;
use super::listeners::HostListeners;
use super::parts::Parts;
use super::programs::{come_up, start_api_server};
use super::requests::Requests;
use super::steps::StepError;
use super::supervise::Supervisor;
use super::{control_server, environment, forward};
use crate::context::Context;
use crate::events::{self, Event};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE};
use crate::spec::Spec;
use crate::state::StateDir;
use crate::tools::Toolset;

/// Runs the lab until a part that must not end does.
pub(super) async fn serve(
    dir: &StateDir,
    cgroup: &Path,
    spec: Spec,
    listeners: HostListeners,
) -> Result<(), DaemonError> {
    let tools = Toolset::at(spec.tools);
    let base = Infrastructure::build(dir, cgroup, &spec.options, listeners).await?;
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
    let kubelets = crate::kubelet::run(context.clone(), base.fabric);
    parts.run("the kubelet's part", kubelets);
    tokio::select! {
        up = come_up(&cluster, &supervisor, &context, &parts) => up?,
        ended = ending.first() => return Err(ended),
    }
    accept_requests(
        &parts,
        dir,
        Requests::new(context, supervisor, base.endpoints),
    )?;
    events::emit(&Event::Up);
    let ended = ending.first().await;
    // The simulated Azure ends with this value, not before.
    drop(base.sim);
    Err(ended)
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
