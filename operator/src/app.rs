//! The wiring: from flags to running tasks.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, Config};
use podid_azure::Arm;
use podid_index::events;
use podid_index::watch::{Watch, Watched};
use podid_runtime::{BoxError, Drain, Readiness, Signals, Tasks, admin, logging, metrics};

use crate::args::Args;
use crate::assignment::{self, Assignments, Owners};
use crate::class::{self, Facts};
use crate::leader::{Election, Leadership};
use crate::metrics::Metrics;
use crate::profile::{self, MalformedReporter, Watches};
use crate::{FIELD_MANAGER, azure};

/// Events about profiles and classes that may wait while the API server is slow; more are dropped.
const MAX_EVENTS: usize = 4096;

/// Wait between two attempts to get a first token for Azure.
const TOKEN_RETRY: Duration = Duration::from_secs(5);

/// An operator that runs.
#[derive(Debug)]
pub struct Running {
    admin: SocketAddr,
    tasks: Tasks,
    drain: Drain,
    drain_timeout: Duration,
    election: Election,
}

/// Runs the operator to its end.
///
/// # Errors
/// It could not start, a task of it ended, or another replica leads.
pub async fn run(args: Args) -> Result<(), BoxError> {
    logging::init(&args.runtime.log)?;
    let drain = Drain::new();
    let signals = Signals::install()?.forward_to(drain.clone());
    let mut running = start(args, drain).await?;
    running.tasks.background("signals", signals);
    running.finish().await
}

/// Starts everything, and returns when the admin address is bound.
///
/// # Errors
/// A flag, the API server's answer about the lease, or the admin address.
pub async fn start(args: Args, drain: Drain) -> Result<Running, BoxError> {
    let (readiness, mut tasks) = (Readiness::new(), Tasks::new());
    let mut registry = metrics::registry("operator");
    let counters = Metrics::register(&mut registry);
    let assignment_counters = assignment::Metrics::register(&mut registry);

    let (cloud, arm) = azure::connect(&args.azure)?;
    let config = kube_config(&args).await?;
    let client = Client::try_from(config.clone())?;
    let admin = admin::bind(args.runtime.admin_addr).await?;
    let address = admin.local_addr();
    tasks.background(
        "admin",
        admin.serve(readiness.clone(), drain.clone(), registry),
    );

    let (election, leadership) =
        Election::join(&config, &args.namespace, &args.lease, counters.clone()).await?;
    tasks.background("lease", election.clone().task(drain.clone()));
    tasks.background(
        "azure token",
        first_token(arm, leadership.clone(), readiness.clone()),
    );

    let (malformed, unreadable) = MalformedReporter::new(client.clone(), leadership.clone());
    tasks.background("unreadable profiles", malformed.run());
    let mut watcher = Watcher {
        client: client.clone(),
        readiness,
        tasks,
    };
    let watches = Watches {
        profiles: watcher.start(move |malformed| {
            // The reporter ends only with the process.
            let _ended = unreadable.send(malformed);
        }),
        classes: watcher.start(drop),
        namespaces: watcher.start(drop),
    };
    let mut tasks = watcher.tasks;

    let reporter = Reporter {
        controller: FIELD_MANAGER.into(),
        instance: args.lease.replica.clone(),
    };
    let (events, queue) = events::channel(MAX_EVENTS);
    let recorder = Recorder::new(client.clone(), reporter);
    tasks.background("events", queue.run(recorder));
    let facts = Facts {
        cloud: args.azure.cloud,
        tenant_id: args.azure.tenant_id.clone(),
    };
    let (assignments, changes) = Assignments::new();
    let classes = class::Context {
        client: client.clone(),
        subscriptions: Arc::clone(&cloud.subscriptions),
        roles: Arc::clone(&cloud.roles),
        facts: facts.clone(),
        profiles: watches.profiles.store(),
        leadership: leadership.clone(),
        events: events.clone(),
        metrics: counters.clone(),
        interval: args.interval,
        schedule: class::Schedule::default(),
        retries: profile::Retries::default(),
    };
    let profiles = profile::Context {
        client: client.clone(),
        azure: cloud.clone(),
        facts,
        classes: watches.classes.store(),
        namespaces: watches.namespaces.store(),
        profiles: watches.profiles.store(),
        assignments: assignments.clone(),
        leadership: leadership.clone(),
        events,
        metrics: counters,
        interval: args.interval,
        retries: profile::Retries::default(),
        reminders: profile::Reminders::default(),
    };
    let machines = assignment::Context {
        client,
        compute: Arc::clone(&cloud.compute),
        identities: Arc::clone(&cloud.identities),
        owners: Owners::new(watches.profiles.clone(), watches.classes.clone()),
        settings: args.assignment(),
        metrics: assignment_counters,
        assignments,
    };
    let (of_classes, of_profiles) = (watches.classes.clone(), watches.profiles.clone());
    tasks.required(
        "classes",
        class::run(classes, of_classes, of_profiles, drain.clone()),
    );
    tasks.required(
        "profiles",
        profile::run(profiles, watches, changes, args.concurrency, drain.clone()),
    );
    tasks.required("assignment", assign(machines, leadership, drain.clone()));
    let drain_timeout = args.runtime.drain_timeout;
    Ok(Running {
        admin: address,
        tasks,
        drain,
        drain_timeout,
        election,
    })
}

impl Running {
    /// The admin address really bound.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Runs until the drain, then lets another replica lead.
    ///
    /// # Errors
    /// The first task that ended unasked, or that failed while draining.
    pub async fn finish(self) -> Result<(), BoxError> {
        let ended = self.tasks.supervise(&self.drain, self.drain_timeout).await;
        // Nothing of ours writes any more.
        self.election.release().await;
        Ok(ended?)
    }
}

/// Starts watches as tasks, each with its debt.
struct Watcher {
    client: Client,
    readiness: Readiness,
    tasks: Tasks,
}

impl Watcher {
    fn start<K: Watched>(
        &mut self,
        malformed: impl FnMut(podid_index::watch::Malformed) + Send + 'static,
    ) -> Watch<K> {
        let kind = <K as kube::Resource>::plural(&()).into_owned();
        let debt = self.readiness.owe(format!("watch of {kind}"));
        let (watch, feed) = Watch::new(Api::all(self.client.clone()), debt);
        self.tasks
            .background(format!("watch of {kind}"), feed.run(malformed));
        watch
    }
}

async fn kube_config(args: &Args) -> Result<Config, BoxError> {
    let mut config = match &args.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => Config::infer().await?,
    };
    config.default_namespace.clone_from(&args.namespace);
    Ok(config)
}

/// A leader that cannot prove to Azure who it is, is not ready, and the log says why. A follower
/// owes nothing: it must count as ready, or a rollout of two replicas would never end.
async fn first_token(
    arm: Arm,
    leadership: Leadership,
    readiness: Readiness,
) -> Result<(), BoxError> {
    leadership.gained().await;
    let debt = readiness.owe("token for Azure");
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
    drop(debt);
    std::future::pending().await
}

/// Assignment works only while this replica leads.
async fn assign(
    context: assignment::Context,
    leadership: Leadership,
    drain: Drain,
) -> Result<(), BoxError> {
    tokio::select! {
        () = leadership.gained() => assignment::run(context, drain).await,
        () = drain.draining() => Ok(()),
    }
}
