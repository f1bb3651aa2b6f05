//! Makes a change in parts. An identity that Azure refuses is found by bisection and quarantined, so that
//! the others are assigned.

use std::collections::{BTreeMap, BTreeSet};

use super::TargetState;
use super::event::{TargetAction, TargetNotice, TargetPatch};
use super::phase::{Change, ChangeStep, Phase};
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::error::TargetError;
use crate::target::failure::TargetFailure;
use crate::target::observation::TargetObservation;
use crate::target::parts::{MAX_CHANGES, Parts};
use crate::target::pause::ComparisonError;
use crate::target::plan::TargetPlan;

impl TargetState {
    /// Begins a change whose record is written.
    pub(super) fn start(
        &mut self,
        mut change: Change,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        // Azure ignores the addition of an identity id that the target already has, even if it is of a
        // deleted identity. So a recreated identity must be removed first.
        let off = TargetPlan {
            remove: change.renewing.clone(),
            ..TargetPlan::default()
        };
        change.parts = self.parts(&off);
        self.continue_change(change, now, actions);
    }

    fn parts(&self, plan: &TargetPlan) -> Parts {
        let quarantine = &self.quarantine;
        Parts::new(plan, &quarantine.suspects(), quarantine.tried())
    }

    /// Asks for the next part, or ends the change.
    fn continue_change(
        &mut self,
        mut change: Change,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let mut next = change.parts.take_next();
        if next.is_none() && change.step == ChangeStep::TakeOffRenewed {
            // What could not be removed is not added again.
            let rest = change.due.without(&self.quarantine.waiting(now));
            change.parts = self.parts(&rest);
            change.step = ChangeStep::All;
            next = change.parts.take_next();
        }
        let Some(part) = next else {
            self.renewed(&change, now, actions);
            return self.check_result(&change.observed, change.due, now, actions);
        };
        if change.observed.is_changing() {
            // Somebody else began right after the last part.
            return self.wait_until_free(now, actions);
        }
        actions.push(TargetAction::Patch(TargetPatch {
            plan: part.clone(),
            on: change.observed.clone(),
        }));
        self.phase = Phase::Patching(change, part, now);
    }

    pub(super) fn on_patched(
        &mut self,
        result: Result<TargetObservation, TargetError>,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let (mut change, part, since) = match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Patching(change, part, since) => (change, part, since),
            other => {
                self.phase = other;
                return;
            }
        };
        match result {
            Ok(observed) => {
                self.batch.measured(now.saturating_duration_since(since));
                // For renewed identities `renewed` decides, when all parts are done.
                let passed = &(&part.add | &part.remove) - &change.renewing;
                self.quarantine.retain(|id| !passed.contains(id));
                let present = self.present(&observed);
                // Also while somebody else changes it already: this change has come to its end.
                self.settled.clone_from(&present);
                self.set_present(&present - &change.parts.leaving(), actions);
                change.observed = observed;
                if part.len() == MAX_CHANGES && self.would_carry_more(&change) {
                    return self.begin_attempt(actions);
                }
            }
            Err(error) if error.may_be_of_one_identity() => {
                let tried = self.quarantine.tried();
                for identity in change.parts.isolate(&part, &error.named, tried) {
                    let failure = TargetFailure::of_azure(&error, Some(&identity));
                    let why = error.to_string();
                    actions.push(TargetAction::Log(TargetNotice::Refused(
                        identity.clone(),
                        why,
                    )));
                    self.quarantine(&identity, failure, now);
                }
            }
            Err(error) => return self.fail(ComparisonError::Azure(error), now, actions),
        }
        self.continue_change(change, now, actions);
    }

    /// Whether the next part is one that could carry more, and more is desired by now. Sent as it was planned it would
    /// make all that has come since wait for a change of its own. Those that failed last time are never planned anew
    /// instead: under a steady stream of changes their turn would not come.
    fn would_carry_more(&self, change: &Change) -> bool {
        let is_planned_anew = |next: &TargetPlan| {
            let suspects = self.quarantine.suspects();
            next.len() < MAX_CHANGES && next.without(&suspects).len() == next.len()
        };
        self.generation != self.compared_generation
            && change.renewing.is_empty()
            && change.parts.next().is_some_and(is_planned_anew)
    }

    fn quarantine(&mut self, identity: &ArmId, failure: TargetFailure, now: Moment) {
        let jitter = self.random.next_jitter();
        self.quarantine.add(identity, failure, now, jitter);
    }

    /// Checks the identities that were added again. One for which the target still shows another client id
    /// than expected is quarantined, because an immediate retry would not help.
    fn renewed(&mut self, change: &Change, now: Moment, actions: &mut Vec<TargetAction>) {
        let (renewing, after) = (&change.renewing, &change.observed);
        let (present, recreated) = (self.present(after), self.recreated(after));
        self.quarantine
            .retain(|id| !renewing.contains(id) || !present.contains(id));
        let outdated: BTreeSet<ArmId> = renewing & &recreated;
        for identity in outdated {
            let of = |client_ids: &BTreeMap<ArmId, String>| {
                client_ids.get(&identity).cloned().unwrap_or_default()
            };
            let (expected, shown) = (of(&self.compared.client_ids), of(&after.client_ids));
            let failure = TargetFailure::old_client_id(&identity, &expected, &shown);
            let why = failure.cause.message.clone();
            actions.push(TargetAction::Log(TargetNotice::NotRenewed(
                identity.clone(),
                why,
            )));
            self.quarantine(&identity, failure, now);
        }
    }
}
