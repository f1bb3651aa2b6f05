//! The state machine that makes one VM or scale set have the desired identities. It has no clock and no
//! network.
//!
//! [`TargetState::step`] takes an event and the time, and returns the actions to perform. A comparison is:
//! read, plan, write the record, change in parts, write the record. An action never waits: a wait is a
//! time at which the state must be woken ([`TargetAction::WakeAt`]).
//!
//! **Calls.** A comparison reads once for each attempt and has at most `1 + MAX_CONFLICTS` attempts. An
//! attempt writes the record at most twice. It changes the target in parts of at most [`MAX_CHANGES`](super::MAX_CHANGES)
//! identities: those that failed last time in parts of their own, and renewed identities twice (off and
//! on). A part that Azure refuses because of an identity is halved until the identity is alone, at most 7
//! times as 2⁷ ≥ 100; each halving adds two calls. So an attempt has at most `parts + 14 × bad
//! identities` changes, and one more for each bad identity that Azure names.
//!
//! | file | holds |
//! |---|---|
//! | `event` | the events and actions |
//! | `mod` | when a comparison begins and ends |
//! | `phase` | the call that is under way |
//! | `attempt` | one attempt of a comparison, call by call |
//! | `apply` | the part of an attempt that changes the target |

mod apply;
mod attempt;
mod event;
#[cfg(test)]
mod histories;
mod phase;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

pub use event::{TargetAction, TargetEvent, TargetNotice, TargetPatch};

use super::desired::DesiredIdentities;
use super::error::{TargetError, TargetErrorClass};
use super::failure::TargetFailure;
use super::id::Target;
use super::pause::{Arrivals, ComparisonError, Pause};
use super::quarantine::Quarantine;
use super::record::AssignmentRecord;
use super::status::TargetStatus;
use crate::arm::ArmId;
use crate::backoff::{JitterSource, lengthened};
use crate::moment::Moment;
use phase::Phase;

/// Wait after a conflict for which Azure sent no `Retry-After`; about what it sends in others.
const AFTER_CONFLICT: Duration = Duration::from_secs(2);
/// Conflicts in a row after which a comparison ends and back-off begins.
const MAX_CONFLICTS: u32 = 5;
/// Wait before a target that is being changed is read again.
const WHILE_UPDATING: Duration = Duration::from_secs(10);
/// How long a target must be missing in Azure before it counts as deleted.
const UNTIL_SECOND_LOOK: Duration = Duration::from_secs(10);

/// Settings for all targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSettings {
    /// Time between two comparisons when no event causes one.
    pub interval: Duration,
    /// How long changes are collected before they go out together.
    pub window: Duration,
    /// Identities that are never removed, whoever put them there.
    pub immutable: BTreeSet<ArmId>,
}

/// What is known of a VM or scale set, and what is under way.
#[derive(Clone, Debug)]
pub struct TargetState {
    target: Target,
    settings: TargetSettings,
    random: JitterSource,
    record: AssignmentRecord,
    /// Whether the stored record may differ from `record`, because the result of a write is unknown.
    stored_in_doubt: bool,
    generation: u64,
    desired: DesiredIdentities,
    requested: BTreeSet<ArmId>,
    /// The desired identities, and their generation, of the current or last comparison.
    compared: DesiredIdentities,
    compared_generation: u64,
    quarantine: Quarantine,
    missing_since: Option<Moment>,
    conflicts: u32,
    pause: Pause,
    wake: Option<Moment>,
    phase: Phase,
    status: TargetStatus,
    reported: Option<TargetStatus>,
}

/// What is to happen after a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing until the desired identities change: podid has no identity on the target.
    Rest,
    /// Compare again after the usual interval.
    Compare,
    /// The same, for a target that something is desired on but Azure does not have.
    Missing,
    /// Look again at this time.
    At(Moment),
}

impl TargetState {
    /// A target on which podid has put the identities of `record`. The first comparison begins after one
    /// window; [`TargetEvent::Woke`] returns the time.
    #[must_use]
    pub fn new(
        target: Target,
        settings: TargetSettings,
        record: AssignmentRecord,
        seed: u64,
        now: Moment,
    ) -> Self {
        let wake = Some(now + settings.window);
        let status = TargetStatus {
            ours: record.0.clone(),
            ..TargetStatus::default()
        };
        Self {
            target,
            settings,
            random: JitterSource::new(seed),
            record,
            stored_in_doubt: false,
            generation: 0,
            desired: DesiredIdentities::default(),
            requested: BTreeSet::new(),
            compared: DesiredIdentities::default(),
            compared_generation: 0,
            quarantine: Quarantine::default(),
            missing_since: None,
            conflicts: 0,
            pause: Pause::new(now),
            wake,
            phase: Phase::Waiting,
            status,
            reported: None,
        }
    }

    /// The last status.
    #[must_use]
    pub fn status(&self) -> &TargetStatus {
        &self.status
    }

    /// Applies an event and returns the actions to perform. The result of a call that the state did not
    /// ask for is ignored.
    pub fn step(&mut self, event: TargetEvent, now: Moment) -> Vec<TargetAction> {
        let mut actions = Vec::new();
        match event {
            TargetEvent::Desired(generation, desired) => {
                self.generation = generation;
                self.requested.retain(|id| desired.desired.contains(id));
                self.desired = desired;
                self.arrived(now, &mut actions);
            }
            TargetEvent::Requested(identity) => {
                self.requested.insert(identity);
                self.arrived(now, &mut actions);
            }
            TargetEvent::Woke => self.woke(now, &mut actions),
            TargetEvent::Read(result) => self.on_read(result, now, &mut actions),
            TargetEvent::Saved(result) => self.on_saved(result, now, &mut actions),
            TargetEvent::Patched(result) => self.on_patched(result, now, &mut actions),
        }
        actions
    }

    /// During a comparison a change is only stored: [`Self::wait`] handles it when the comparison ends.
    fn arrived(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        if matches!(self.phase, Phase::Waiting) {
            self.wait(now, actions);
        }
    }

    fn woke(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        match (&self.phase, self.wake) {
            (Phase::Waiting | Phase::AfterConflict, Some(wake)) if wake > now => {
                actions.push(TargetAction::WakeAt(wake));
            }
            (Phase::Waiting, Some(_)) => {
                self.conflicts = 0;
                self.begin_attempt(actions);
            }
            (Phase::AfterConflict, Some(_)) => self.begin_attempt(actions),
            (Phase::Waiting, None) => actions.push(TargetAction::Rest),
            _ => {}
        }
    }

    /// Sets the time of the next comparison.
    fn wait(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        let arrivals = Arrivals {
            desired: self.generation != self.compared_generation,
            requested: !self.requested.is_empty(),
        };
        if arrivals.any() {
            // Changes within the window are made together. A later change does not move the time, or a
            // steady stream of changes would delay the comparison for ever.
            let due = self.pause.over(arrivals).max(now + self.settings.window);
            self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        }
        actions.push(self.wake.map_or(TargetAction::Rest, TargetAction::WakeAt));
    }

    /// Ends an attempt that succeeded as far as it could.
    fn finish(&mut self, next: Next, now: Moment, actions: &mut Vec<TargetAction>) {
        self.pause.finished(now);
        self.wake = match next {
            Next::Rest => None,
            Next::Compare | Next::Missing => {
                Some(now + lengthened(self.settings.interval, self.random.next_jitter()))
            }
            Next::At(time) => Some(time.max(now)),
        };
        let failure =
            (next == Next::Missing).then(|| TargetFailure::target_not_found(&self.target));
        self.end(failure, next == Next::Rest, now, actions);
    }

    /// Ends an attempt that failed: tries again soon after a conflict, else after the back-off.
    fn fail(&mut self, why: ComparisonError, now: Moment, actions: &mut Vec<TargetAction>) {
        if let ComparisonError::Azure(error) = &why
            && error.is_conflict()
            && self.conflicts < MAX_CONFLICTS
        {
            return self.conflicted(error, now, actions);
        }
        self.pause.failed(&why, now, &mut self.random);
        self.wake = Some(self.pause.until);
        let (failure, text) = match &why {
            ComparisonError::Azure(error) => {
                (TargetFailure::of_azure(error, None), error.to_string())
            }
            ComparisonError::Record(error) => {
                (TargetFailure::record_not_written(error), error.clone())
            }
        };
        actions.push(TargetAction::Log(TargetNotice::Unfinished(text)));
        let failure = failure.after(self.pause.failures);
        self.end(Some(failure), false, now, actions);
    }

    fn conflicted(&mut self, error: &TargetError, now: Moment, actions: &mut Vec<TargetAction>) {
        self.conflicts += 1;
        actions.push(TargetAction::Log(TargetNotice::Conflict(self.conflicts)));
        if error.class == TargetErrorClass::PreconditionFailed {
            // The other change has ended, so no wait is needed.
            return self.begin_attempt(actions);
        }
        let wait = error.retry_after.unwrap_or(AFTER_CONFLICT);
        let wake = now + lengthened(wait, self.random.next_jitter());
        self.phase = Phase::AfterConflict;
        self.wake = Some(wake);
        actions.push(TargetAction::WakeAt(wake));
    }

    /// `failure` is the cause for every desired identity that is absent and has no failure of its own.
    fn end(
        &mut self,
        failure: Option<TargetFailure>,
        at_rest: bool,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let mut failures = self.quarantine.failures();
        if let Some(failure) = failure {
            let present = self.status.present.clone().unwrap_or_default();
            for identity in self.compared.desired.difference(&present) {
                failures
                    .entry(identity.clone())
                    .or_insert_with(|| failure.clone());
            }
        }
        self.phase = Phase::Waiting;
        self.status.generation = self.compared_generation;
        self.status.failures = failures;
        self.status.at_rest = at_rest;
        self.report(actions);
        self.wait(now, actions);
    }

    /// Reports the status if it differs from the last report.
    fn report(&mut self, actions: &mut Vec<TargetAction>) {
        if self.reported.as_ref() != Some(&self.status) {
            self.reported = Some(self.status.clone());
            actions.push(TargetAction::Report(self.status.clone()));
        }
    }
}
