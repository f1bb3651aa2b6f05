//! One VM or scale set, brought to carry what is desired: a state machine without clock or network.
//!
//! [`TargetState::step`] takes what happened and the time, and answers what to do. A comparison is:
//! read, plan, write the record, change in parts, write the record. A wait is never inside an action: it
//! is a time at which the state wants to be woken.
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
//! | `event` | what the state is told, what it asks for |
//! | `mod` | what is desired, and when a comparison begins and ends |
//! | `attempt` | one attempt of a comparison, call by call |
//! | `apply` | the part of an attempt that changes the target |

mod apply;
mod attempt;
mod event;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

pub use event::{TargetAction, TargetEvent, TargetNotice, TargetPatch};

use super::desired::DesiredIdentities;
use super::error::{TargetError, TargetErrorClass};
use super::failure::TargetFailure;
use super::id::Target;
use super::moment::Moment;
use super::pause::{Arrivals, Pause, Trouble};
use super::quarantine::Quarantine;
use super::record::AssignmentRecord;
use super::status::TargetStatus;
use crate::arm::ArmId;
use crate::backoff::{JitterSource, lengthened};
use attempt::Phase;

/// Azure asks to come back after about this long when two changes collide.
const AFTER_CONFLICT: Duration = Duration::from_secs(2);
/// Collisions in a row after which the target is left alone for longer.
const MAX_CONFLICTS: u32 = 5;
/// How soon to look again at a target that somebody is changing.
const WHILE_UPDATING: Duration = Duration::from_secs(10);
/// How long a target has to be missing before it counts as gone.
const UNTIL_SECOND_LOOK: Duration = Duration::from_secs(10);

/// How targets are dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSettings {
    /// Time between two comparisons of a target that nothing happens to.
    pub interval: Duration,
    /// How long changes are collected before they go out together.
    pub window: Duration,
    /// Identities that are never taken off, whoever put them there.
    pub immutable: BTreeSet<ArmId>,
}

/// What is known of a VM or scale set, and what is under way.
#[derive(Clone, Debug)]
pub struct TargetState {
    target: Target,
    settings: TargetSettings,
    random: JitterSource,
    record: AssignmentRecord,
    /// Whether the stored record may be another than `record`.
    stored_in_doubt: bool,
    generation: u64,
    desired: DesiredIdentities,
    requested: BTreeSet<ArmId>,
    /// What the comparison that is under way, or the last one, is about, and its generation.
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
    /// Nothing, until something else is desired: the target carries nothing of ours.
    Rest,
    /// Compare again after the usual interval.
    Compare,
    /// The same, for a target that something is desired on but Azure does not have.
    Missing,
    /// Look again at this time.
    At(Moment),
}

impl TargetState {
    /// A target that has been given what `record` says. The first comparison begins after one window:
    /// [`TargetEvent::Woke`] asks when.
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

    /// What is known before anything was read.
    #[must_use]
    pub fn status(&self) -> &TargetStatus {
        &self.status
    }

    /// Takes note of what happened and says what to do. An end of a call that was not asked for is
    /// ignored.
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

    /// While a comparison is under way, what arrives is only noted: [`Self::wait`] takes it up.
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

    /// Says when the next comparison begins.
    fn wait(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        let arrivals = Arrivals {
            desired: self.generation != self.compared_generation,
            requested: !self.requested.is_empty(),
        };
        if arrivals.any() {
            // What arrives until then goes out together; what arrives then does not put it off.
            let due = self.pause.over(arrivals).max(now + self.settings.window);
            self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        }
        actions.push(self.wake.map_or(TargetAction::Rest, TargetAction::WakeAt));
    }

    /// Ends an attempt that has done all it could.
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

    /// Ends an attempt that met trouble: tries again soon after a conflict, and else much later.
    fn fail(&mut self, trouble: Trouble, now: Moment, actions: &mut Vec<TargetAction>) {
        if let Trouble::Azure(error) = &trouble
            && error.is_conflict()
            && self.conflicts < MAX_CONFLICTS
        {
            return self.conflicted(error, now, actions);
        }
        self.pause.troubled(&trouble, now, &mut self.random);
        self.wake = Some(self.pause.until);
        let (failure, text) = match &trouble {
            Trouble::Azure(error) => (TargetFailure::of_azure(error, None), error.to_string()),
            Trouble::Record(error) => (TargetFailure::record_not_written(error), error.clone()),
        };
        actions.push(TargetAction::Log(TargetNotice::Unfinished(text)));
        let failure = failure.after(self.pause.failures);
        self.end(Some(failure), false, now, actions);
    }

    fn conflicted(&mut self, error: &TargetError, now: Moment, actions: &mut Vec<TargetAction>) {
        self.conflicts += 1;
        actions.push(TargetAction::Log(TargetNotice::Conflict(self.conflicts)));
        if error.class == TargetErrorClass::PreconditionFailed {
            // The other change has ended: nothing has to be waited for.
            return self.begin_attempt(actions);
        }
        let wait = error.retry_after.unwrap_or(AFTER_CONFLICT);
        let wake = now + lengthened(wait, self.random.next_jitter());
        self.phase = Phase::AfterConflict;
        self.wake = Some(wake);
        actions.push(TargetAction::WakeAt(wake));
    }

    /// `failure` is why all that is desired and absent is absent, where there is no cause of its own.
    fn end(
        &mut self,
        failure: Option<TargetFailure>,
        at_rest: bool,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let mut failures = self.quarantine.failures();
        if let Some(failure) = failure {
            let carries = self.status.carries.clone().unwrap_or_default();
            for identity in self.compared.desired.difference(&carries) {
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

    /// Reports what differs from the last report.
    fn report(&mut self, actions: &mut Vec<TargetAction>) {
        if self.reported.as_ref() != Some(&self.status) {
            self.reported = Some(self.status.clone());
            actions.push(TargetAction::Report(self.status.clone()));
        }
    }
}
