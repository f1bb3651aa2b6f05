//! The wiring of `podid-operator uninstall`.

use kube::Api;
use podid_index::watch::Watch;
use podid_runtime::admin::{self, AdminPages};
use podid_runtime::{BoxError, Drain, Readiness, Tasks, metrics};

use super::controllers::{Counters, event_writer};
use super::running::{Running, run_to_end};
use crate::args::UninstallArgs;
use crate::gate::{ClusterAccess, Gate};
use crate::leader::{self, Election, Leadership};
use crate::uninstall::{self, ReleaseContext};

/// Takes podid's finalizer off every profile, and stays until a signal.
///
/// # Errors
/// It could not start, a task of it ended, or another replica leads.
pub async fn run(args: UninstallArgs) -> Result<(), BoxError> {
    let log = args.runtime.log.clone();
    run_to_end(&log, async |drain| start(args, drain).await).await
}

/// Starts everything. There is no client for Azure.
async fn start(args: UninstallArgs, drain: Drain) -> Result<Running, BoxError> {
    let mut registry = metrics::registry("operator");
    let counters = Counters::register(&mut registry);
    let (leads, leadership) = Leadership::new();
    let gate = Gate::new(leadership.clone(), counters.gate);
    let namespace = &args.cluster.namespace;
    let kubeconfig = args.cluster.kubeconfig.as_deref();
    let cluster = ClusterAccess::find(kubeconfig, namespace).await?;
    let client = cluster.client(gate)?;

    let (readiness, mut tasks) = (Readiness::new(), Tasks::new());
    // The admin server answers before the parts below have registered their own checks.
    let starting = readiness.register("start");
    let server = admin::bind(args.runtime.admin_addr).await?;
    let admin = server.local_addr()?;
    let pages = AdminPages::new(readiness.clone(), drain.clone(), registry);
    tasks.background("admin", server.serve(pages));

    // An operator that still reconciles would put the finalizers on again: it must have ended before this one leads.
    let lease = cluster.lease_client(leader::REQUEST_LIMIT)?;
    let election =
        Election::join(lease, namespace, &args.lease, leads, counters.controllers).await?;
    tasks.background("lease", election.clone().task(drain.clone()));

    let check = readiness.register("watch of podidentityprofiles");
    let (profiles, feed) = Watch::new(Api::all(client.clone()), check);
    tasks.background("watch of podidentityprofiles", feed.run(drop));
    let context = ReleaseContext {
        events: event_writer(&client, &args.lease, &mut tasks),
        client,
        leadership,
        retries: crate::retry::Retries::default(),
    };
    let released = readiness.register("no profile has podid's finalizer");
    let release = uninstall::run(context, profiles, released, drain.clone());
    tasks.required("finalizers", release);
    starting.pass();
    Ok(Running {
        admin,
        tasks,
        drain,
        drain_timeout: args.runtime.drain_timeout,
        election,
    })
}
