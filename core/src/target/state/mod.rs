//! The state machine that makes one VM or scale set have the desired identities. It has no clock and no
//! network.
//!
//! [`TargetState::step`] takes an event and the time, and returns the actions to perform. A comparison is:
//! read, plan, write the record, change in parts, write the record. An action never waits: a wait is a
//! time at which the state must be woken ([`TargetAction::WakeAt`]).
//!
//! **Calls.** A comparison reads once for each attempt and has at most `1 + MAX_CONFLICTS` attempts, and one more for
//! each full part after which more is desired than the next one carries. An attempt writes the record at most twice. It
//! changes the target in parts of at most [`MAX_CHANGES`](super::MAX_CHANGES) identities: those that failed last time in
//! parts of their own, and renewed identities twice (off and on). A part that Azure refuses because of an identity is
//! halved until the identity is alone, at most 7 times as 2⁷ ≥ 100; each halving adds two calls. So an attempt has at
//! most `parts + 14 × bad identities` changes, and one more for each bad identity that Azure names.
//!
//! | file | holds |
//! |---|---|
//! | `event` | the events and actions |
//! | `mod` | when a comparison begins |
//! | `end` | how an attempt ends |
//! | `phase` | the call that is under way |
//! | `attempt` | one attempt of a comparison, call by call |
//! | `apply` | the part of an attempt that changes the target |

mod apply;
mod attempt;
mod end;
mod event;
#[cfg(test)]
mod histories;
mod phase;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

pub use event::{TargetAction, TargetEvent, TargetNotice, TargetPatch};

use super::batch::Batch;
use super::desired::DesiredIdentities;
use super::id::Target;
use super::parts::MAX_CHANGES;
use super::pause::{Arrivals, Pause};
use super::quarantine::Quarantine;
use super::record::AssignmentRecord;
use super::status::TargetStatus;
use crate::arm::ArmId;
use crate::backoff::JitterSource;
use crate::moment::Moment;
use phase::Phase;

/// Wait before a target is read again that is being changed or deleted, and where nothing waits for the end.
const WHILE_UPDATING: Duration = Duration::from_secs(10);
/// How long a target must be missing in Azure before it counts as deleted.
const UNTIL_SECOND_LOOK: Duration = Duration::from_secs(10);

/// Settings for all targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSettings {
    /// Time between two comparisons when no event causes one.
    pub interval: Duration,
    /// Shortest time for which changes are collected before they go out together.
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
    /// Identities that it is known to have, and not only to be getting: by the last look when Azure did not change it.
    settled: BTreeSet<ArmId>,
    missing_since: Option<Moment>,
    /// Since when Azure has been changing it, as far as is known, while podid waits to change it.
    changing_since: Option<Moment>,
    conflicts: u32,
    pause: Pause,
    batch: Batch,
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
        let batch = Batch::new(target.kind(), settings.window);
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
            settled: BTreeSet::new(),
            missing_since: None,
            changing_since: None,
            conflicts: 0,
            pause: Pause::new(now),
            batch,
            wake,
            phase: Phase::Waiting,
            status,
            reported: None,
        }
    }

    /// The same for a target that these identities were seen on before, by a former leader.
    #[must_use]
    pub fn having(self, settled: BTreeSet<ArmId>) -> Self {
        Self { settled, ..self }
    }

    /// The last status.
    #[must_use]
    pub fn status(&self) -> &TargetStatus {
        &self.status
    }

    /// Whether a pod or a person waits for the comparison that is under way, or may: something is desired that may be
    /// absent, or present that is not desired. It is not after a start, when the record says that all is there.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        let (desired, ours) = (&self.compared.desired, &self.record.0);
        let there = self.status.present.as_ref().unwrap_or(ours);
        let stays = &self.settings.immutable | &self.compared.kept;
        !desired.is_subset(there) || !ours.is_subset(&(desired | &stays))
    }

    /// Applies an event and returns the actions to perform. The result of a call that the state did not
    /// ask for is ignored.
    pub fn step(&mut self, event: TargetEvent, now: Moment) -> Vec<TargetAction> {
        let mut actions = Vec::new();
        match event {
            TargetEvent::Desired(generation, desired) => {
                self.generation = generation;
                self.requested.retain(|id| desired.desired.contains(id));
                let replaced = std::mem::replace(&mut self.desired, desired);
                self.request_made_anew(&replaced);
                self.batch.arrived(now);
                self.arrived(now, &mut actions);
            }
            TargetEvent::Requested(identity) => {
                self.requested.insert(identity);
                self.arrived(now, &mut actions);
            }
            TargetEvent::MayBeMended(identity) => {
                if self.quarantine.contains(&identity) {
                    self.requested.insert(identity);
                }
                self.arrived(now, &mut actions);
            }
            TargetEvent::Woke => self.woke(now, &mut actions),
            TargetEvent::Read(result) => self.on_read(result, now, &mut actions),
            TargetEvent::Saved(result) => self.on_saved(result, now, &mut actions),
            TargetEvent::Patched(result) => self.on_patched(result, now, &mut actions),
        }
        actions
    }

    /// A refused identity that has another client id than `before` was made anew, which may have mended it.
    fn request_made_anew(&mut self, before: &DesiredIdentities) {
        for (identity, client_id) in &self.desired.client_ids {
            let known = before.client_ids.get(identity);
            let is_other = known.is_some_and(|known| known != client_id);
            if is_other && self.quarantine.contains(identity) {
                self.requested.insert(identity.clone());
            }
        }
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
            let collected = self.batch.due(self.is_full(), now);
            let start = match (arrivals.desired, arrivals.requested) {
                (true, true) => collected.min(now + self.settings.window),
                (true, false) => collected,
                (false, _) => now + self.settings.window,
            };
            let due = self.pause.over(arrivals).max(start);
            // What is desired may put off a look that nobody waits for, but no request of a person.
            let earlier = self.wake.filter(|_| arrivals.requested);
            self.wake = Some(earlier.map_or(due, |wake| wake.min(due)));
        }
        actions.push(self.wake.map_or(TargetAction::Rest, TargetAction::WakeAt));
    }

    /// Whether as much is to be added as fits into one change.
    fn is_full(&self) -> bool {
        let desired = &self.desired.desired;
        let absent = match &self.status.present {
            Some(present) => desired.difference(present).count(),
            None => desired.len(),
        };
        absent >= MAX_CHANGES
    }

    /// Reports the status if it differs from the last report.
    fn report(&mut self, actions: &mut Vec<TargetAction>) {
        if self.reported.as_ref() != Some(&self.status) {
            self.reported = Some(self.status.clone());
            actions.push(TargetAction::Report(self.status.clone()));
        }
    }
}
