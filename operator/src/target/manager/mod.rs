//! The VMs and scale sets that are worked on, each by a worker of its own.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use podid_azure::Compute;
use podid_core::arm::ArmId;
use podid_core::target::{
    AssignmentRecord, DesiredIdentities, Moment, Target, TargetEvent, TargetSettings, TargetState,
    TargetStatus,
};
use podid_runtime::Drain;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::metrics::TargetMetrics;
use super::record_store::RecordStore;
use super::report::TargetReport;
use super::worker::{Calls, Worker};

/// Called with what a target carries.
type OnCarried = Box<dyn Fn(&Target, BTreeSet<ArmId>) + Send + Sync>;

/// What targets are worked on with.
pub(crate) struct TargetContext {
    /// Identities of VMs and scale sets in Azure.
    pub(crate) compute: Arc<dyn Compute>,
    /// What podid has put on them.
    pub(crate) records: Arc<dyn RecordStore>,
    /// How they are dealt with.
    pub(crate) settings: TargetSettings,
    /// What is counted.
    pub(crate) metrics: TargetMetrics,
    /// Called whenever a target carries other identities through us, or may.
    pub(crate) on_carried: OnCarried,
    /// Ends all work.
    pub(crate) drain: Drain,
}

impl fmt::Debug for TargetContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetContext")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The targets that are worked on.
#[derive(Debug)]
pub(crate) struct TargetManager {
    context: TargetContext,
    targets: HashMap<Target, Managed>,
    reports: mpsc::UnboundedSender<TargetReport>,
    tasks: JoinSet<()>,
}

/// A target with a worker.
#[derive(Debug)]
struct Managed {
    events: mpsc::UnboundedSender<TargetEvent>,
    generation: u64,
    desired: DesiredIdentities,
    /// What the worker is to put on and has not reported on: it may be doing so.
    pending: BTreeSet<ArmId>,
    status: TargetStatus,
}

impl TargetManager {
    /// No targets yet, and where reports about them will arrive: give each to
    /// [`on_status`](Self::on_status).
    pub(crate) fn new(context: TargetContext) -> (Self, mpsc::UnboundedReceiver<TargetReport>) {
        let (sender, reports) = mpsc::unbounded_channel();
        let manager = Self {
            context,
            targets: HashMap::new(),
            reports: sender,
            tasks: JoinSet::new(),
        };
        (manager, reports)
    }

    /// What is known of a target; `None` if nothing is desired there and nothing of ours is there.
    pub(crate) fn status(&self, target: &Target) -> Option<&TargetStatus> {
        self.targets.get(target).map(|managed| &managed.status)
    }

    /// Has a target carry what is desired.
    pub(crate) fn set_desired(&mut self, target: &Target, desired: DesiredIdentities) {
        let Some(managed) = self.targets.get_mut(target) else {
            if !desired.desired.is_empty() {
                self.start(target, desired, AssignmentRecord::default());
            }
            return;
        };
        managed.pending.extend(desired.desired.iter().cloned());
        if managed.desired != desired {
            managed.generation += 1;
            managed.desired = desired.clone();
            managed.send(TargetEvent::Desired(managed.generation, desired));
        }
        self.report_carried(target);
    }

    /// The targets that carry an identity through us, or may.
    pub(crate) fn carriers(&self, identity: &ArmId) -> impl Iterator<Item = &Target> {
        let carriers = self.targets.iter().filter(|(_, managed)| {
            managed.pending.contains(identity) || managed.status.ours.contains(identity)
        });
        carriers.map(|(target, _)| target)
    }

    /// Has a target compared soon, and an identity tried again if it was refused: a person says that what
    /// was in its way is corrected.
    pub(crate) fn request(&mut self, target: &Target, identity: &ArmId) {
        if let Some(managed) = self.targets.get(target) {
            managed.send(TargetEvent::Requested(identity.clone()));
        }
    }

    /// Starts work on a target that carries what `record` says.
    pub(crate) fn start(
        &mut self,
        target: &Target,
        desired: DesiredIdentities,
        record: AssignmentRecord,
    ) {
        let context = &self.context;
        let (settings, seed) = (context.settings.clone(), rand::random());
        let state = TargetState::new(target.clone(), settings, record, seed, Moment::default());
        let (events, receiver) = mpsc::unbounded_channel();
        let managed = Managed {
            events,
            generation: 1,
            pending: desired.desired.clone(),
            desired: desired.clone(),
            status: state.status().clone(),
        };
        managed.send(TargetEvent::Desired(managed.generation, desired));
        let calls = Calls {
            compute: Arc::clone(&context.compute),
            records: Arc::clone(&context.records),
            metrics: context.metrics.clone(),
        };
        let reports = self.reports.clone();
        let worker = Worker::new(target.clone(), state, calls, receiver, reports);
        self.tasks.spawn(worker.run(context.drain.clone()));
        self.targets.insert(target.clone(), managed);
        self.context.metrics.set_targets(self.targets.len());
        self.report_carried(target);
    }

    /// Takes note of what is known of a target. Returns the identities about which something else is
    /// known than before.
    pub(crate) fn on_status(&mut self, report: TargetReport) -> BTreeSet<ArmId> {
        let TargetReport { target, status } = report;
        let Some(managed) = self.targets.get_mut(&target) else {
            return BTreeSet::new();
        };
        let changed = status.differing(&managed.status);
        let is_answer = status.generation == managed.generation;
        if is_answer {
            managed.pending.clone_from(&managed.desired.desired);
        }
        let rests = is_answer && status.at_rest;
        managed.status = status;
        if rests {
            // Its worker ends when it sees that nobody can desire anything of it any more.
            self.targets.remove(&target);
            self.context.metrics.set_targets(self.targets.len());
        }
        self.report_carried(&target);
        changed
    }

    /// Waits until a worker ends; for ever if there is none.
    pub(crate) async fn worker_ended(&mut self) -> Result<(), JoinError> {
        match self.tasks.join_next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Lets the workers finish what is under way.
    pub(crate) async fn finish(mut self) -> Result<(), JoinError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    fn report_carried(&self, target: &Target) {
        let managed = self.targets.get(target);
        let carried = managed.map(|managed| &managed.pending | &managed.status.ours);
        (self.context.on_carried)(target, carried.unwrap_or_default());
    }
}

impl Managed {
    fn send(&self, event: TargetEvent) {
        // A worker ends before its target is removed only when the operator stops.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests;
