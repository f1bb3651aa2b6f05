//! The one task that owns the index and starts all work: nothing here waits for Azure or for a
//! write, so that a change is acted on at once whatever else is under way.

mod checks;
mod pods;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use podid_core::arm::ArmId;
use podid_core::target::TargetSettings;
use podid_runtime::{BoxError, Drain};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::backlog::Backlog;
use super::index::AssignmentIndex;
use super::jobs::Jobs;
use super::lookup::{Lookups, Reading};
use super::objects::{Observed, Written};
use super::pod_events::AssignmentEvents;
use super::tally::Tally;
use super::watch::{self, Event};
use super::{Context, ObjectKey};
use crate::target::{ConfigMapRecords, RecordStore, TargetContext, TargetManager, TargetReport};

/// How often to see whether something is to be said again.
const BETWEEN_REMINDERS: Duration = Duration::from_secs(60);

/// See [`super::run`].
pub(super) async fn run(context: Context, drain: Drain) -> Result<(), BoxError> {
    let records: Arc<dyn RecordStore> = Arc::new(ConfigMapRecords::new(
        context.client.clone(),
        &context.settings.namespace,
    ));
    let mut watches = watch::all(&context.client);
    let target_context = target_context(&context, Arc::clone(&records), drain.clone());
    let (targets, mut reports) = TargetManager::new(target_context);
    let mut dispatcher = Dispatcher::new(context, targets);

    // Until everything is known, whatever is missing would look as if nobody wanted it.
    let mut unsynced = watch::KINDS;
    while unsynced > 0 {
        tokio::select! {
            () = drain.draining() => return Ok(()),
            event = watches.next() => match event.ok_or("the watches ended")? {
                Event::Listed(_) => unsynced -= 1,
                event => dispatcher.see(event),
            },
        }
    }
    if !dispatcher.context.owners.seen(&drain).await? {
        return Ok(());
    }
    let mut touched = dispatcher.context.owners.touched();
    while let Some(Some(known)) = touched.next().now_or_never() {
        dispatcher.touched(known);
    }
    dispatcher.begin(records.as_ref()).await?;

    while !drain.is_draining() {
        tokio::select! {
            () = drain.draining() => break,
            event = watches.next() => dispatcher.see(event.ok_or("the watches ended")?),
            touched = touched.next() => dispatcher.touched(touched.ok_or("the watches ended")?),
            Some(report) = reports.recv() => dispatcher.on_report(report),
            () = sleep_until(dispatcher.next_wake()) => dispatcher.wake(),
            ended = dispatcher.targets.worker_ended() => ended?,
            Some(ended) = dispatcher.tasks.join_next() => dispatcher.ended(ended?),
        }
        dispatcher.act();
    }
    Ok(dispatcher.targets.finish().await?)
}

fn target_context(context: &Context, records: Arc<dyn RecordStore>, drain: Drain) -> TargetContext {
    let (settings, assignments) = (&context.settings, context.assignments.clone());
    TargetContext {
        compute: Arc::clone(&context.compute),
        records,
        settings: TargetSettings {
            interval: settings.interval,
            window: settings.window,
            immutable: settings.immutable.clone(),
        },
        metrics: context.metrics.targets.clone(),
        on_carried: Box::new(move |target, carried| assignments.set_carried(target, carried)),
        drain,
    }
}

/// How a task of ours ended.
#[derive(Debug)]
enum Ended {
    /// The objects of a pod were written.
    Wrote(ObjectKey, Written),
    /// It is time to try a pod again.
    Due(ObjectKey),
    /// An identity was looked up.
    LookedUp(ArmId, Reading),
    /// Nobody hands in Events any more.
    WritingEvents,
}

#[derive(Debug)]
struct Dispatcher {
    context: Context,
    index: AssignmentIndex,
    observed: Observed,
    targets: TargetManager,
    lookups: Lookups,
    tally: Tally,
    jobs: Jobs,
    /// Pods about which something may be different.
    concerned: BTreeSet<ObjectKey>,
    /// When people last asked for profiles to be looked at.
    requested: HashMap<ObjectKey, String>,
    reminder: Instant,
    backlog: Backlog,
    pod_events: AssignmentEvents,
    tasks: JoinSet<Ended>,
}

impl Dispatcher {
    fn new(context: Context, targets: TargetManager) -> Self {
        let (pod_events, writing) = AssignmentEvents::new(context.client.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It ends when nobody hands in Events any more, and cannot fail.
            let _never_fails = writing.await;
            Ended::WritingEvents
        });
        Self {
            index: AssignmentIndex::new(context.settings.reach),
            observed: Observed::default(),
            targets,
            lookups: Lookups::new(Arc::clone(&context.identities), context.settings.interval),
            tally: Tally::default(),
            jobs: Jobs::default(),
            concerned: BTreeSet::new(),
            requested: HashMap::new(),
            reminder: Instant::now() + BETWEEN_REMINDERS,
            backlog: Backlog::default(),
            pod_events,
            tasks,
            context,
        }
    }

    /// Takes note of a fact.
    fn see(&mut self, event: Event) {
        match event {
            Event::Pod(key, placed) => {
                let pod = placed.as_ref().map(|placed| &placed.pod);
                self.context.assignments.set_breaking(&key, pod);
                self.index.set_pod(&key, placed);
            }
            Event::Node(name, machine) => self.index.set_node(&name, machine),
            Event::Identity(key, identity) => self.index.set_identity(&key, identity),
            Event::Binding(key, binding) => self.index.set_binding(&key, binding),
            Event::Assigned(key, Some(seen)) => {
                self.concerned.insert(seen.pod.clone());
                self.observed.set(&key, seen);
            }
            Event::Assigned(key, None) => {
                self.concerned.extend(self.observed.remove(&key));
            }
            Event::Listed(kind) => tracing::debug!(kind, "listed again"),
        }
    }

    /// Everything is known: takes up the VMs and scale sets that an earlier run left something on.
    async fn begin(&mut self, records: &dyn RecordStore) -> Result<(), BoxError> {
        let left = records.load().await?;
        tracing::info!(
            targets = left.len(),
            "assignment begins; VMs and scale sets with something of ours"
        );
        for (target, record) in left {
            let wanted = self.index.wanted(&target);
            self.targets.start(&target, wanted, record);
        }
        self.act();
        self.context.assignments.set_known();
        Ok(())
    }

    /// Starts the work that has become due.
    fn act(&mut self) {
        let dirty = self.index.take_dirty();
        self.check(&dirty.checks);
        self.look_up();
        for target in &dirty.targets {
            self.targets.set_desired(target, self.index.wanted(target));
        }
        self.concerned.extend(dirty.pods);
        for pod in std::mem::take(&mut self.concerned) {
            self.count(&pod);
            self.jobs.request(pod);
        }
        for (identity, pods) in self.tally.take_dirty() {
            self.context.assignments.set_bound_pods(&identity, pods);
        }
        while let Some(pod) = self.jobs.start_next() {
            self.look_at(pod);
        }
    }

    /// Takes note of what is known of a VM or scale set, and looks at the pods it matters to.
    fn on_report(&mut self, report: TargetReport) {
        let target = report.target.clone();
        let failed: BTreeSet<ArmId> = report.status.failures.keys().cloned().collect();
        for identity in self.targets.on_status(report) {
            if failed.contains(&identity) {
                self.lookups.doubt(&identity);
            }
            self.concerned.extend(self.index.users(&target, &identity));
        }
    }

    /// When something is due that nobody tells of.
    fn next_wake(&self) -> Instant {
        let others = [self.lookups.next_due(), self.tally.next_late()];
        let first = others.into_iter().flatten().min();
        first.map_or(self.reminder, |first| first.min(self.reminder))
    }

    fn wake(&mut self) {
        self.concerned.extend(self.tally.take_late());
        if Instant::now() >= self.reminder {
            self.reminder = Instant::now() + BETWEEN_REMINDERS;
            self.concerned.extend(self.pod_events.due());
        }
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Wrote(pod, written) => self.wrote(pod, written),
            Ended::Due(pod) => self.jobs.request(pod),
            Ended::LookedUp(identity, reading) => self.looked_up(&identity, reading),
            Ended::WritingEvents => {}
        }
    }
}
