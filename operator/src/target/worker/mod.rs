//! One task for each VM or scale set: performs what its state machine asks for, and feeds the results
//! back. A slow one delays no other.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use podid_azure::{Compute, ErrorClass};
use podid_core::arm_budget::CallPriority;
use podid_core::target::{
    AssignmentRecord, Target, TargetAction, TargetEvent, TargetNotice, TargetPatch, TargetState,
};
use podid_runtime::Drain;
use podid_runtime::process::chain;
use podid_runtime::wait::sleep_until;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::convert::{compute_target, identity_patch, observation};
use super::metrics::TargetMetrics;
use super::record_store::RecordStore;
use super::report::TargetReport;
use crate::azure_error::target_error;
use crate::clock::MonotonicClock;
use crate::gate::with_priority;

type Call = Pin<Box<dyn Future<Output = TargetEvent> + Send>>;

/// What performs the actions of one target.
pub(super) struct Worker {
    target: Target,
    state: TargetState,
    /// The clock of the state's moments.
    clock: MonotonicClock,
    calls: Calls,
    events: mpsc::UnboundedReceiver<TargetEvent>,
    reports: mpsc::UnboundedSender<TargetReport>,
    /// The one call that is under way.
    call: Option<Call>,
    wake: Option<Instant>,
    stopping: bool,
}

/// What calls are made with.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) compute: Arc<dyn Compute>,
    pub(super) records: Arc<dyn RecordStore>,
    pub(super) metrics: TargetMetrics,
}

impl Worker {
    /// A worker that begins now. What happens arrives by `events`; what becomes known goes to `reports`.
    pub(super) fn new(
        target: Target,
        state: TargetState,
        calls: Calls,
        events: mpsc::UnboundedReceiver<TargetEvent>,
        reports: mpsc::UnboundedSender<TargetReport>,
    ) -> Self {
        Self {
            target,
            state,
            clock: MonotonicClock::start(),
            calls,
            events,
            reports,
            call: None,
            wake: None,
            stopping: false,
        }
    }

    /// Works until nobody can desire anything any more, or until `drain`; a comparison that is under way
    /// is finished first, so that Azure's last answer is not lost.
    pub(super) async fn run(mut self, drain: Drain) {
        let mut next = Some(TargetEvent::Woke);
        while let Some(event) = next {
            for action in self.state.step(event, self.clock.now()) {
                self.perform(action);
            }
            next = self.next_event(&drain).await;
        }
    }

    fn perform(&mut self, action: TargetAction) {
        match action {
            TargetAction::WakeAt(time) => self.wake = Some(self.clock.instant(time)),
            TargetAction::Rest => self.wake = None,
            TargetAction::Log(notice) => self.log(&notice),
            TargetAction::Report(status) => {
                let target = self.target.clone();
                // Nobody listens while the operator stops.
                let _ = self.reports.send(TargetReport { target, status });
            }
            TargetAction::Read => {
                let priority = match self.state.is_awaited() {
                    true => CallPriority::Awaited,
                    false => CallPriority::Background,
                };
                self.call = Some(self.calls.read(&self.target, priority));
            }
            TargetAction::SaveRecord(record) => {
                self.call = Some(self.calls.save(&self.target, record));
            }
            TargetAction::Patch(patch) => self.call = Some(self.calls.patch(&self.target, patch)),
        }
    }

    /// What happens next; `None` if the worker is to end and no call is under way.
    async fn next_event(&mut self, drain: &Drain) -> Option<TargetEvent> {
        loop {
            let (idle, stopping) = (self.call.is_none(), self.stopping);
            tokio::select! {
                () = drain.draining(), if !stopping => self.stopping = true,
                event = self.events.recv(), if !stopping => match event {
                    Some(event) => return Some(event),
                    None => self.stopping = true,
                },
                event = end_of(&mut self.call), if !idle => {
                    self.call = None;
                    return Some(event);
                }
                () = sleep_until(self.wake), if idle && !stopping => return Some(TargetEvent::Woke),
                else => return None,
            }
        }
    }

    fn log(&self, notice: &TargetNotice) {
        let target = &self.target;
        match notice.is_warning() {
            true => tracing::warn!(resource = %target, "{notice}"),
            false => tracing::info!(resource = %target, "{notice}"),
        }
    }
}

impl Calls {
    fn read(&self, target: &Target, priority: CallPriority) -> Call {
        let (compute, address) = (Arc::clone(&self.compute), compute_target(target));
        Box::pin(with_priority(priority, async move {
            let read = compute.get_identity(&address).await;
            let read = read.map(|found| found.as_ref().map(observation));
            TargetEvent::Read(read.map_err(|error| target_error(&error)))
        }))
    }

    fn save(&self, target: &Target, record: AssignmentRecord) -> Call {
        let (records, target) = (Arc::clone(&self.records), target.clone());
        Box::pin(async move {
            let saved = records.save(&target, &record).await;
            TargetEvent::Saved(saved.map_err(|error| chain(&error)))
        })
    }

    fn patch(&self, target: &Target, patch: TargetPatch) -> Call {
        let (compute, address) = (Arc::clone(&self.compute), compute_target(target));
        let (metrics, kind) = (self.metrics.clone(), target.kind());
        Box::pin(async move {
            let plan = &patch.plan;
            tracing::info!(resource = %address, %plan, "changing identities");
            let started = Instant::now();
            let etag = patch.on.etag.as_deref();
            let result = compute
                .patch_identity(&address, &identity_patch(&patch), etag)
                .await;
            let took = started.elapsed();
            match &result {
                // It did not leave.
                Err(error) if error.class() == ErrorClass::HeldBack => {}
                result => metrics.patched(kind, result.as_ref().err(), took.as_secs_f64()),
            }
            match &result {
                Ok(_) => tracing::info!(resource = %address, %plan, ?took, "changed"),
                Err(error) => {
                    let error = error as &dyn Error;
                    tracing::info!(resource = %address, %plan, error, "not changed");
                }
            }
            let result = result.as_ref().map(observation);
            TargetEvent::Patched(result.map_err(target_error))
        })
    }
}

async fn end_of(call: &mut Option<Call>) -> TargetEvent {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
