//! The wiring: from flags to running tasks.

mod controllers;
mod running;
mod uninstall;
mod watches;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use controllers::{Controllers, Counters, event_writer};
use podid_azure::Arm;
use podid_runtime::admin::{self, AdminPages};
use podid_runtime::{BoxError, Drain, Readiness, ReadinessCheck, Tasks, metrics};
use tokio::sync::oneshot;

pub use running::Running;
pub use uninstall::run as run_uninstall;

use crate::args::Args;
use crate::gate::{CallHook, ClusterAccess, Gate};
use crate::leader::{Election, LeaderError, Leadership};
use crate::{azure, leader};

/// Wait between two attempts to get a first token for Azure.
const TOKEN_RETRY: Duration = Duration::from_secs(5);

/// How long a replica without a token lets others lead: longer than another one takes to notice that the
/// lease is free or has expired.
const OTHERS_FIRST: Duration = Duration::from_secs(30);

/// Runs the operator to its end.
///
/// # Errors
/// It could not start, a task of it ended, or another replica leads.
pub async fn run(args: Args) -> Result<(), BoxError> {
    let log = args.runtime.log.clone();
    running::run_to_end(&log, async |drain| start(args, drain, None).await).await
}

/// Starts everything, and returns when the admin address is bound. `hook` sees each call that the
/// operator makes, and may refuse it or have its answer thrown away.
///
/// # Errors
/// A flag, the API server's answer about the lease, or the admin address.
pub async fn start(
    args: Args,
    drain: Drain,
    hook: Option<Arc<CallHook>>,
) -> Result<Running, BoxError> {
    let mut registry = metrics::registry("operator");
    let counters = Counters::register(&mut registry);
    // The gate comes first: there is no client for Azure or the API server without it.
    let (leads, leadership) = Leadership::new();
    let gate = Gate::new(leadership.clone(), counters.gate.clone()).with_hook(hook);
    let (azure, arm) = azure::connect(&args.azure, gate.clone())?;
    let namespace = &args.cluster.namespace;
    let kubeconfig = args.cluster.kubeconfig.as_deref();
    let cluster = ClusterAccess::find(kubeconfig, namespace).await?;
    let budget = gate.budget().clone();
    let client = cluster.client(gate)?;

    let (readiness, mut tasks) = (Readiness::new(), Tasks::new());
    // The admin server answers before the parts below have registered their own checks.
    let starting = readiness.register("start of the controllers");
    let server = admin::bind(args.runtime.admin_addr).await?;
    let admin = server.local_addr()?;
    let pages = AdminPages::new(readiness.clone(), drain.clone(), registry);
    tasks.background("admin", server.serve(pages));

    let lease = cluster.lease_client(leader::REQUEST_LIMIT)?;
    let metrics = counters.controllers.clone();
    let election = Election::join(lease, namespace, &args.lease, leads, metrics).await?;
    let (has_token, token) = oneshot::channel();
    let candidate = stand_for_election(election.clone(), token, drain.clone());
    tasks.background("lease", candidate);
    let token = first_token(arm, readiness.register("token for Azure"), has_token);
    tasks.background("azure token", token);

    let watches = watches::start(&client, &leadership, &readiness, &mut tasks);
    let controllers = Controllers {
        watches: watches.profiles,
        nodes: watches.nodes,
        events: event_writer(&client, &args.lease, &mut tasks),
        args: &args,
        client,
        azure,
        budget,
        leadership,
        counters,
        drain: drain.clone(),
    };
    controllers.start(&mut tasks);
    starting.pass();
    Ok(Running {
        admin,
        tasks,
        drain,
        drain_timeout: args.runtime.drain_timeout,
        election,
    })
}

/// `/metrics` of an operator that has just started: every metric, with its help.
#[must_use]
pub fn metrics_at_start() -> String {
    let mut registry = metrics::registry("operator");
    Counters::register(&mut registry);
    metrics::text(&registry)
}

/// Keeps a replica that cannot prove to Azure who it is from being ready; the log says why. A follower as well:
/// the rollout of a wrong setting must stop before it has replaced the replica that works.
async fn first_token(
    arm: Arm,
    check: ReadinessCheck,
    has_token: oneshot::Sender<()>,
) -> Result<(), BoxError> {
    let scope = arm.endpoints().arm_scope();
    while let Err(error) = arm.credential().token(&scope).await {
        let next_step = error.next_step();
        tracing::warn!(
            error = &error as &dyn Error,
            next_step,
            "no token for Azure; trying again"
        );
        tokio::time::sleep(TOKEN_RETRY).await;
    }
    check.pass();
    // Nobody listens any more once this replica has stood for election without it.
    let _stood_already = has_token.send(());
    std::future::pending().await
}

/// Stands for election as soon as this replica has a token for Azure. One that gets none lets others come first:
/// it could only stop the work of a replica that has one. If there is no other it leads, so that profiles
/// and classes say what is wrong.
async fn stand_for_election(
    election: Election,
    token: oneshot::Receiver<()>,
    drain: Drain,
) -> Result<(), LeaderError> {
    tokio::select! {
        _gained_or_late = tokio::time::timeout(OTHERS_FIRST, token) => election.task(drain).await,
        () = drain.draining() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_shown_from_the_start() {
        let mut registry = metrics::registry("operator");
        Counters::register(&mut registry);
        let registered = format!("{registry:?}").matches("Descriptor {").count();
        let shown = metrics_at_start().matches("# HELP ").count();
        assert!(
            registered > 8 && shown == registered,
            "{shown} of {registered}"
        );
    }
}
