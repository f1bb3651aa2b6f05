//! The VMs and scale sets that are worked on, each by a worker of its own.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use podid_azure::Compute;
use podid_core::arm::ArmId;
use podid_core::moment::Moment;
use podid_core::target::{
    AssignmentRecord, DesiredIdentities, ManagedTarget, StatusChange, Target, TargetEvent,
    TargetSettings, TargetState, TargetStatus,
};
use podid_runtime::Drain;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::metrics::TargetMetrics;
use super::record_store::RecordStore;
use super::report::TargetReport;
use super::worker::{Calls, Worker};

/// Is told of a target and the identities that it has through podid, or may have.
type OnIdentities = Box<dyn Fn(&Target, BTreeSet<ArmId>) + Send + Sync>;

/// What targets are worked on with.
pub(crate) struct TargetContext {
    /// Identities of VMs and scale sets in Azure.
    pub(crate) compute: Arc<dyn Compute>,
    /// What podid has put on them.
    pub(crate) records: Arc<dyn RecordStore>,
    /// Settings of all targets.
    pub(crate) settings: TargetSettings,
    /// Counters of all targets.
    pub(crate) metrics: TargetMetrics,
    /// Called whenever a target may have other identities through podid than before: when something else is
    /// desired on it, when its worker reports, and when its worker ends.
    pub(crate) on_identities: OnIdentities,
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

/// A target, and the way to its worker.
#[derive(Debug)]
struct Managed {
    target: ManagedTarget,
    events: mpsc::UnboundedSender<TargetEvent>,
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
        self.targets
            .get(target)
            .map(|managed| managed.target.status())
    }

    /// Has a target get what is desired; `seen` as for [`start`](Self::start), for one that is not worked on yet.
    pub(crate) fn set_desired(
        &mut self,
        target: &Target,
        desired: DesiredIdentities,
        seen: impl FnOnce() -> BTreeSet<ArmId>,
    ) {
        let Some(managed) = self.targets.get_mut(target) else {
            if !desired.desired.is_empty() {
                self.start(target, desired, AssignmentRecord::default(), seen());
            }
            return;
        };
        if let Some(event) = managed.target.set_desired(desired) {
            managed.send(event);
        }
        self.report_identities(target);
    }

    /// The targets that have an identity through podid, or may have it.
    pub(crate) fn targets_with(&self, identity: &ArmId) -> impl Iterator<Item = &Target> {
        let all = self.targets.iter();
        let having = all.filter(|(_, managed)| managed.target.may_have(identity));
        having.map(|(target, _)| target)
    }

    /// Tells the worker of a target what has happened; nobody, if the target is not worked on.
    pub(crate) fn send(&self, target: &Target, event: TargetEvent) {
        if let Some(managed) = self.targets.get(target) {
            managed.send(event);
        }
    }

    /// Starts work on a target on which podid has put what `record` says, and has `seen` these identities before.
    pub(crate) fn start(
        &mut self,
        target: &Target,
        desired: DesiredIdentities,
        record: AssignmentRecord,
        seen: BTreeSet<ArmId>,
    ) {
        let context = &self.context;
        let (settings, seed) = (context.settings.clone(), rand::random());
        let state = TargetState::new(target.clone(), settings, record, seed, Moment::default());
        let state = state.having(seen);
        let (managed, first) = ManagedTarget::new(desired, state.status().clone());
        let (events, receiver) = mpsc::unbounded_channel();
        let managed = Managed {
            target: managed,
            events,
        };
        managed.send(first);
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
        self.report_identities(target);
    }

    /// Sets what is known of a target, and returns what follows; `None` for one that is not worked on.
    pub(crate) fn on_status(&mut self, report: TargetReport) -> Option<StatusChange> {
        let TargetReport { target, status } = report;
        let change = self.targets.get_mut(&target)?.target.on_status(status);
        if change.is_finished {
            // Its worker ends when it sees that nobody can desire anything of it any more.
            self.targets.remove(&target);
            self.context.metrics.set_targets(self.targets.len());
        }
        self.report_identities(&target);
        Some(change)
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

    fn report_identities(&self, target: &Target) {
        let managed = self.targets.get(target);
        let identities = managed.map(|managed| managed.target.identities());
        (self.context.on_identities)(target, identities.unwrap_or_default());
    }
}

impl Managed {
    fn send(&self, event: TargetEvent) {
        // A worker ends before its target is removed only when the operator stops.
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod neighbours;
#[cfg(test)]
mod tests;
