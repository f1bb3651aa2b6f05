//! One attempt to make a target as desired, call by call.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{TargetAction, TargetNotice};
use super::phase::{AfterSaving, Change, ChangeStep, Phase};
use super::{Next, TargetState, UNTIL_SECOND_LOOK, WHILE_UPDATING};
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::error::TargetError;
use crate::target::observation::TargetObservation;
use crate::target::parts::Parts;
use crate::target::pause::ComparisonError;
use crate::target::plan::{TargetPlan, plan_target};
use crate::target::quarantine::Quarantine;
use crate::target::record::AssignmentRecord;
use crate::target::recreated;

impl TargetState {
    /// Begins to compare the target with what is desired now.
    pub(super) fn begin_attempt(&mut self, actions: &mut Vec<TargetAction>) {
        self.compared = self.desired.clone();
        self.compared_generation = self.generation;
        for identity in std::mem::take(&mut self.requested) {
            self.quarantine.release(&identity);
        }
        self.batch.take();
        self.wake = None;
        self.phase = Phase::Reading;
        actions.push(TargetAction::Read);
    }

    pub(super) fn on_read(
        &mut self,
        result: Result<Option<TargetObservation>, TargetError>,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        if !matches!(self.phase, Phase::Reading) {
            return;
        }
        match result {
            Ok(Some(observed)) => self.compare(observed, now, actions),
            Ok(None) => self.target_missing(now, actions),
            Err(error) => self.fail(ComparisonError::Azure(error), now, actions),
        }
    }

    fn compare(
        &mut self,
        observed: TargetObservation,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        self.missing_since = None;
        let on_target = self.present(&observed);
        let there = self.settle(&observed, &on_target);
        let stays = &self.settings.immutable | &self.compared.kept;
        let plan = plan_target(&self.compared.desired, &on_target, &self.record, &stays);
        let planned = &plan.add | &plan.remove;
        self.quarantine.retain(|id| planned.contains(id));
        if observed.is_deleting() {
            self.set_present(there, actions);
            return self.finish(Next::At(now + WHILE_UPDATING), now, actions);
        }
        self.quarantine.begin_comparison(now);
        let due = plan.without(&self.quarantine.waiting(now));
        // An identity that is about to be removed counts as absent at once: otherwise a pod that is bound
        // to it now would be `Assigned` and lose it a moment later.
        self.set_present(&there - &due.remove, actions);
        if due.is_empty() {
            return self.check_result(&observed, due, now, actions);
        }
        if observed.is_changing() {
            return self.wait_until_free(now, actions);
        }
        self.changing_since = None;
        let renewing = &self.recreated(&observed) & &due.add;
        let record = self.record.ahead_of(&due.add);
        let change = Change {
            observed,
            due,
            renewing,
            parts: Parts::default(),
            step: ChangeStep::TakeOffRenewed,
        };
        self.save(record, AfterSaving::Apply(change), now, actions);
    }

    /// Writes the record if it differs from the stored one or may differ, and continues.
    fn save(
        &mut self,
        record: AssignmentRecord,
        then: AfterSaving,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        if record == self.record && !self.stored_in_doubt {
            return self.saved(then, now, actions);
        }
        actions.push(TargetAction::SaveRecord(record.clone()));
        self.phase = Phase::Saving(record, then);
    }

    pub(super) fn on_saved(
        &mut self,
        result: Result<(), String>,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Saving(record, then) => match result {
                Ok(()) => {
                    self.stored_in_doubt = false;
                    self.status.ours.clone_from(&record.0);
                    self.record = record;
                    self.saved(then, now, actions);
                }
                Err(error) => {
                    // The write may have succeeded although its answer was lost.
                    self.stored_in_doubt = true;
                    self.fail(ComparisonError::Record(error), now, actions);
                }
            },
            other => self.phase = other,
        }
    }

    fn saved(&mut self, then: AfterSaving, now: Moment, actions: &mut Vec<TargetAction>) {
        match then {
            AfterSaving::Apply(change) => self.start(change, now, actions),
            AfterSaving::Conclude { due, on_target } => {
                self.conclude(&due, &on_target, now, actions);
            }
            AfterSaving::Forget => {
                let next = match self.compared.desired.is_empty() {
                    true => Next::Rest,
                    false => Next::Missing,
                };
                self.finish(next, now, actions);
            }
        }
    }

    /// Compares the target with the plan after all possible changes.
    pub(super) fn check_result(
        &mut self,
        after: &TargetObservation,
        due: TargetPlan,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let on_target = self.present(after);
        let there = self.settle(after, &on_target);
        self.set_present(there, actions);
        if after.is_changing() {
            // The change under way may still add an identity of podid, so the record must keep it.
            return self.finish(Next::At(now + WHILE_UPDATING), now, actions);
        }
        self.changing_since = None;
        let record = self.record.settled(&after.user_assigned);
        let then = AfterSaving::Conclude { due, on_target };
        self.save(record, then, now, actions);
    }

    fn conclude(
        &mut self,
        due: &TargetPlan,
        on_target: &BTreeSet<ArmId>,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let accepted = due.without(&self.quarantine.suspects());
        if !accepted.add.is_subset(on_target) {
            actions.push(TargetAction::Log(TargetNotice::NotVisible));
            return self.finish(Next::At(now + WHILE_UPDATING), now, actions);
        }
        let is_unused = self.compared.desired.is_empty() && self.record.0.is_empty();
        let next = match self.quarantine.next_due() {
            Some(due) => Next::At(due),
            None if is_unused => Next::Rest,
            None => Next::Compare,
        };
        self.finish(next, now, actions);
    }

    /// Azure does not have the target. One such answer may be wrong, and identities that the record then
    /// loses would stay on the target for ever. So the record is emptied after a second such answer.
    fn target_missing(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        self.changing_since = None;
        let certain_from = *self.missing_since.get_or_insert(now) + UNTIL_SECOND_LOOK;
        if now < certain_from {
            return self.finish(Next::At(certain_from), now, actions);
        }
        actions.push(TargetAction::Log(TargetNotice::Gone));
        self.quarantine = Quarantine::default();
        self.set_present(BTreeSet::new(), actions);
        let none = AssignmentRecord::default();
        self.save(none, AfterSaving::Forget, now, actions);
    }

    /// The identities of those that a target shows which it has. While Azure changes it, it shows what it is to have; what
    /// it did not have before may still fail to come.
    fn settle(
        &mut self,
        observed: &TargetObservation,
        on_target: &BTreeSet<ArmId>,
    ) -> BTreeSet<ArmId> {
        self.settled = match observed.is_changing() {
            true => on_target & &self.settled,
            false => on_target.clone(),
        };
        self.settled.clone()
    }

    /// Sets which identities are on the target.
    pub(super) fn set_present(
        &mut self,
        identities: BTreeSet<ArmId>,
        actions: &mut Vec<TargetAction>,
    ) {
        self.status.present = Some(identities);
        self.status.at_rest = false;
        self.report(actions);
    }

    /// The identities on a target, without the recreated ones.
    pub(super) fn present(&self, observed: &TargetObservation) -> BTreeSet<ArmId> {
        &observed.user_assigned - &self.recreated(observed)
    }

    /// See [`recreated()`].
    pub(super) fn recreated(&self, observed: &TargetObservation) -> BTreeSet<ArmId> {
        let expected: &BTreeMap<_, _> = &self.compared.client_ids;
        let immutable = &self.settings.immutable;
        recreated(expected, &observed.client_ids, &self.record, immutable)
    }
}
