//! The one task that owns the index and starts all work: nothing here waits for Azure or for a
//! write, so that a change is acted on at once whatever else is under way.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use futures::StreamExt;
use podid_core::arm::ArmId;
use podid_core::assignment::{ObjectsPlan, Progress, assigned_identities, plan_objects, progress};
use podid_runtime::{BoxError, Drain};
use tokio::task::JoinSet;

use super::announce::{Announcer, News};
use super::fleet::Fleet;
use super::index::Index;
use super::jobs::Jobs;
use super::ledger::{ConfigMapLedgers, Ledgers};
use super::objects::{self, Observed, Written};
use super::report::Report;
use super::watch::{self, Event};
use super::{Context, ObjectKey, news};

/// See [`super::run`].
pub(super) async fn run(context: Context, drain: Drain) -> Result<(), BoxError> {
    let ledgers: Arc<dyn Ledgers> = Arc::new(ConfigMapLedgers::new(
        context.client.clone(),
        &context.settings.namespace,
    ));
    let mut watches = watch::all(&context.client);
    let (fleet, mut reports) = Fleet::new(&context, Arc::clone(&ledgers), drain.clone());
    let mut dispatcher = Dispatcher::new(context, fleet);

    // Until everything is known, whatever is missing would look as if nobody wanted it.
    let mut unsynced = watch::KINDS;
    while unsynced > 0 {
        tokio::select! {
            () = drain.draining() => return Ok(()),
            event = watches.next() => match event.ok_or("the watches ended")? {
                Event::Synced(_) => unsynced -= 1,
                event => dispatcher.see(event),
            },
        }
    }
    dispatcher.begin(ledgers.as_ref()).await?;

    while !drain.is_draining() {
        tokio::select! {
            () = drain.draining() => break,
            event = watches.next() => dispatcher.see(event.ok_or("the watches ended")?),
            Some(report) = reports.recv() => dispatcher.hear(report),
            ended = dispatcher.fleet.worker_ended() => ended?,
            Some(ended) = dispatcher.tasks.join_next() => dispatcher.ended(ended?),
        }
        dispatcher.act();
    }
    Ok(dispatcher.fleet.finish().await?)
}

/// How a task of ours ended.
#[derive(Debug)]
enum Ended {
    /// The objects of a pod were written.
    Wrote(ObjectKey, Written),
    /// It is time to try a pod again.
    Due(ObjectKey),
    /// Nobody announces any more.
    Announcing,
}

#[derive(Debug)]
struct Dispatcher {
    context: Context,
    index: Index,
    observed: Observed,
    fleet: Fleet,
    jobs: Jobs,
    backlog: Backlog,
    announcer: Announcer,
    tasks: JoinSet<Ended>,
}

impl Dispatcher {
    fn new(context: Context, fleet: Fleet) -> Self {
        let (announcer, announcing) = Announcer::new(context.client.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            announcing.await;
            Ended::Announcing
        });
        Self {
            index: Index::new(context.settings.reach),
            observed: Observed::default(),
            fleet,
            jobs: Jobs::default(),
            backlog: Backlog::default(),
            announcer,
            tasks,
            context,
        }
    }

    /// Takes note of a fact.
    fn see(&mut self, event: Event) {
        match event {
            Event::Pod(key, placed) => self.index.set_pod(&key, placed),
            Event::Node(name, machine) => self.index.set_node(&name, machine),
            Event::Identity(key, identity) => self.index.set_identity(&key, identity),
            Event::Binding(key, binding) => self.index.set_binding(&key, binding),
            Event::Assigned(key, Some(seen)) => {
                self.jobs.request(seen.pod.clone());
                self.observed.set(&key, seen);
            }
            Event::Assigned(key, None) => {
                if let Some(pod) = self.observed.remove(&key) {
                    self.jobs.request(pod);
                }
            }
            Event::Synced(kind) => tracing::debug!(kind, "listed again"),
        }
    }

    /// Everything is known: takes up the machines that an earlier run left something on.
    async fn begin(&mut self, ledgers: &dyn Ledgers) -> Result<(), BoxError> {
        let left = ledgers.load().await?;
        tracing::info!(
            machines = left.len(),
            "assignment begins; machines with something of ours"
        );
        for (target, ledger) in left {
            let desired = self.index.desired(&target);
            self.fleet.engage(&target, desired, ledger);
        }
        self.act();
        self.context.assignments.set_known();
        Ok(())
    }

    /// Starts the work that has become due.
    fn act(&mut self) {
        let dirty = self.index.take_dirty();
        for identity in &dirty.identities {
            let pods = self.index.bound_pods(identity);
            self.context.assignments.set_bound_pods(identity, pods);
        }
        for target in &dirty.targets {
            self.fleet.order(target, self.index.desired(target));
        }
        dirty
            .pods
            .into_iter()
            .for_each(|pod| self.jobs.request(pod));
        while let Some(pod) = self.jobs.start_next() {
            self.look_at(pod);
        }
    }

    /// Takes note of what is known of a machine, and looks at the pods it matters to.
    fn hear(&mut self, report: Report) {
        let target = report.target.clone();
        for identity in self.fleet.hear(report) {
            self.index
                .users(&target, &identity)
                .into_iter()
                .for_each(|pod| self.jobs.request(pod));
        }
    }

    /// Brings what the cluster says about a pod to what is true.
    fn look_at(&mut self, key: ObjectKey) {
        let observed = self.observed.of_pod(&key);
        let desired = self.desired_objects(&key, &observed);
        let open = desired
            .values()
            .filter(|says| says.progress == Progress::Created)
            .count();
        self.context
            .metrics
            .set_backlog(self.backlog.set(&key, open));
        self.announce(&key);
        let plan = plan_objects(&desired, &observed);
        if plan == ObjectsPlan::default() {
            self.jobs.succeeded(&key);
            return;
        }
        let pod = self.index.pod(&key).map(|entry| entry.placed.pod.clone());
        let (client, namespace) = (self.context.client.clone(), key.namespace.clone());
        self.tasks.spawn(async move {
            Ended::Wrote(key, objects::write(client, namespace, pod, plan).await)
        });
    }

    fn desired_objects(&self, key: &ObjectKey, observed: &objects::Said) -> objects::Wanted {
        let Some(entry) = self.index.pod(key) else {
            return objects::Wanted::new();
        };
        let Some(target) = entry.target() else {
            return objects::Wanted::new();
        };
        let carries = self
            .fleet
            .report(target)
            .and_then(|report| report.carries.as_ref());
        let before = |name: &str| Some(observed.get(name)?.as_ref()?.progress.clone());
        let progress = |name: &str, id: &ArmId| progress(id, carries, None, before(name));
        let (placed, wanted) = (&entry.placed, &entry.assignments.wanted);
        assigned_identities(&placed.pod, &placed.node, wanted, progress)
    }

    fn announce(&mut self, key: &ObjectKey) {
        let Some(entry) = self.index.pod(key) else {
            self.announcer.forget(key);
            return;
        };
        let report = entry.target().and_then(|target| self.fleet.report(target));
        for (subject, news) in news::failures(entry, report) {
            self.announcer.say(&entry.placed.pod, &subject, news);
        }
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Wrote(pod, written) => self.wrote(pod, written),
            Ended::Due(pod) => self.jobs.request(pod),
            Ended::Announcing => {}
        }
    }

    fn wrote(&mut self, key: ObjectKey, written: Written) {
        for name in &written.deleted {
            self.observed.remove(&ObjectKey::new(&key.namespace, name));
        }
        for (name, seen) in written.applied {
            if let (Some((identity, Progress::Assigned)), Some(entry)) =
                (seen.progress(), self.index.pod(&key))
            {
                self.announcer
                    .say(&entry.placed.pod, &identity, News::Assigned);
            }
            self.observed
                .set(&ObjectKey::new(&key.namespace, name), seen);
        }
        let Some(error) = written.error else {
            self.jobs.succeeded(&key);
            return;
        };
        let wait = self.jobs.failed(&key);
        self.context.metrics.object_failed();
        let error = &error as &dyn Error;
        tracing::warn!(pod = %key, error, ?wait, "AzureAssignedIdentities not written; trying again");
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            Ended::Due(key)
        });
    }
}

/// Uses of identities that are not assigned yet.
#[derive(Debug, Default)]
struct Backlog {
    by_pod: HashMap<ObjectKey, usize>,
    total: usize,
}

impl Backlog {
    /// Notes the number for one pod; the number for all.
    fn set(&mut self, pod: &ObjectKey, open: usize) -> usize {
        let before = match open {
            0 => self.by_pod.remove(pod),
            _ => self.by_pod.insert(pod.clone(), open),
        };
        self.total = self.total + open - before.unwrap_or_default();
        self.total
    }
}
