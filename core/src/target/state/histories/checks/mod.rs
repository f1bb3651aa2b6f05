//! The invariants, checked at every action.

mod ends;
mod free;

use std::collections::BTreeSet;
use std::time::Duration;

use super::azure::{Azure, Operation};
use super::calls::Calls;
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::state::{TargetAction, TargetEvent, TargetPatch};
use crate::target::{
    AssignmentRecord, DesiredIdentities, MAX_CHANGES, TargetObservation, TargetStatus,
};

/// What is known of a history so far.
#[derive(Debug)]
pub(super) struct Checks {
    immutable: BTreeSet<ArmId>,
    system_assigned: bool,
    /// What others put on the target.
    foreign: BTreeSet<ArmId>,
    /// What we put on the target.
    ours: BTreeSet<ArmId>,
    ever_poisoned: BTreeSet<ArmId>,
    /// What was desired when the attempt began that is under way.
    compared: DesiredIdentities,
    last_read: Option<TargetObservation>,
    missed_before: bool,
    /// Whether nobody but us did anything since the attempt began.
    undisturbed: bool,
    refused: bool,
    calls: Calls,
    last_status: Option<TargetStatus>,
}

impl Checks {
    pub(super) fn new(
        foreign: BTreeSet<ArmId>,
        immutable: BTreeSet<ArmId>,
        system_assigned: bool,
    ) -> Self {
        Self {
            immutable,
            system_assigned,
            foreign,
            ours: BTreeSet::new(),
            ever_poisoned: BTreeSet::new(),
            compared: DesiredIdentities::default(),
            last_read: None,
            missed_before: false,
            undisturbed: true,
            refused: false,
            calls: Calls::default(),
            last_status: None,
        }
    }

    pub(super) fn restarted(&mut self, now: Moment) {
        self.calls = Calls::starting(now);
        self.missed_before = false;
        (self.last_status, self.refused) = (None, false);
    }

    pub(super) fn disturbed(&mut self) {
        self.undisturbed = false;
    }

    pub(super) fn deleted(&mut self) {
        self.ours.clear();
        self.foreign.clear();
        self.undisturbed = false;
    }

    /// The target exists (again), with an identity of its own or not.
    pub(super) fn made(&mut self, system_assigned: bool) {
        self.system_assigned = system_assigned;
        self.undisturbed = false;
    }

    pub(super) fn on_poison(&mut self, id: &ArmId) {
        self.ever_poisoned.insert(id.clone());
        self.undisturbed = false;
    }

    pub(super) fn on_request(&mut self, id: &ArmId) {
        self.calls.on_request(id);
    }

    /// Whether a read may be answered 404 by mistake: one such answer in a row is what the state machine
    /// stands.
    pub(super) fn may_miss(&self) -> bool {
        !self.missed_before
    }

    pub(super) fn on_event(&mut self, event: &TargetEvent, now: Moment) {
        match event {
            TargetEvent::Read(Ok(read)) => {
                self.missed_before = read.is_none();
                self.last_read.clone_from(read);
                if read.is_none() {
                    self.undisturbed = false;
                }
            }
            TargetEvent::Patched(Err(error)) if error.may_be_of_one_identity() => {
                self.refused = true;
            }
            TargetEvent::Read(Err(_)) | TargetEvent::Patched(Err(_)) => self.undisturbed = false,
            TargetEvent::Saved(Err(_)) => self.undisturbed = false,
            _ => {}
        }
        self.calls.on_event(event, now);
        if let Some(read) = &self.last_read {
            let desired = &self.compared.desired;
            self.calls
                .forget(|id| desired.contains(id) && !read.user_assigned.contains(id));
        }
    }

    pub(super) fn on_call(
        &mut self,
        action: &TargetAction,
        now: Moment,
        desired: &DesiredIdentities,
    ) -> Result<(), String> {
        if matches!(action, TargetAction::Read) {
            self.compared = desired.clone();
            (self.undisturbed, self.refused) = (true, false);
        }
        self.calls.on_call(action, now)
    }

    pub(super) fn on_patch(
        &mut self,
        patch: &TargetPatch,
        stored: &AssignmentRecord,
        azure: &Azure,
        now: Moment,
    ) -> Result<(), String> {
        let (add, remove) = (&patch.plan.add, &patch.plan.remove);
        let changes = add | remove;
        holds(
            !patch.on.is_changing(),
            "changed while it was being changed",
        )?;
        holds(!changes.is_empty(), "an empty change")?;
        holds(changes.len() <= MAX_CHANGES, "too many changes at once")?;
        holds(add.is_subset(&stored.0), "put on before it was recorded")?;
        holds(remove.is_subset(&stored.0), "taken off and not recorded")?;
        holds(remove.is_disjoint(&self.immutable), "immutable taken away")?;
        holds(remove.is_disjoint(&self.compared.kept), "kept taken away")?;
        holds(
            add.is_subset(&self.compared.desired),
            "put on and not desired",
        )?;
        let bad = if azure.exists && !azure.deleting {
            changes
                .iter()
                .filter(|id| azure.poisoned.contains_key(*id))
                .cloned()
                .collect()
        } else {
            changes
        };
        self.calls.on_patch(patch, &bad, now)
    }

    /// `record` replaces `stored`.
    pub(super) fn on_saved(
        &mut self,
        record: &AssignmentRecord,
        stored: &AssignmentRecord,
        azure: &Azure,
    ) -> Result<(), String> {
        let operation = azure.operation.iter().filter(|operation| operation.by_us);
        let on_its_way: BTreeSet<_> = operation.flat_map(|operation| &operation.add).collect();
        let forgotten = |id: &&ArmId| !record.0.contains(*id);
        if let Some(id) = self.ours.iter().find(forgotten) {
            return Err(format!(
                "the record forgets {id}, which we put on the target"
            ));
        }
        if let Some(id) = on_its_way.into_iter().find(forgotten) {
            return Err(format!("the record forgets {id}, which is on its way"));
        }
        let read = self.last_read.as_ref();
        for id in record.0.difference(&stored.0) {
            if !self.foreign.contains(id) {
                continue;
            }
            let shown = read.is_some_and(|read| read.user_assigned.contains(id));
            holds(!shown, "what others put there is recorded as ours")?;
            // It was added between the read and now: from here on its owner is not known.
            self.foreign.remove(id);
        }
        Ok(())
    }

    /// A change has ended; `before` was on the target.
    pub(super) fn on_operation(
        &mut self,
        operation: &Operation,
        before: &BTreeSet<ArmId>,
        stored: &AssignmentRecord,
    ) {
        if operation.error.is_some() {
            return;
        }
        let came = operation.add.difference(before);
        for id in came {
            if operation.by_us {
                self.ours.insert(id.clone());
            } else if !stored.0.contains(id) {
                self.foreign.insert(id.clone());
            }
        }
        let left = operation.remove.difference(&operation.add);
        for id in left {
            self.ours.remove(id);
            if !operation.by_us {
                self.foreign.remove(id);
            }
        }
    }

    /// The state machine waits, so an attempt may have ended.
    pub(super) fn on_wait(&mut self, azure: &Azure, now: Moment) -> Result<(), String> {
        self.calls.on_wait(now)?;
        self.foreign_is_untouched(azure)?;
        if self.undisturbed && self.refused {
            let good = &self.compared.desired - &self.ever_poisoned;
            let on: BTreeSet<ArmId> = azure.on.keys().cloned().collect();
            holds(good.is_subset(&on), "a good identity waits for a bad one")?;
        }
        self.refused = false;
        Ok(())
    }

    fn foreign_is_untouched(&self, azure: &Azure) -> Result<(), String> {
        if !azure.exists {
            return Ok(());
        }
        let stripped = self.foreign.iter().find(|id| !azure.on.contains_key(*id));
        if let Some(id) = stripped {
            return Err(format!("{id} was stripped, which others put there"));
        }
        let own = azure.system_assigned == self.system_assigned;
        holds(own, "the target's own identity was changed")
    }

    pub(super) fn on_report(
        &mut self,
        status: &TargetStatus,
        stored: &AssignmentRecord,
        azure: &Azure,
    ) -> Result<(), String> {
        let operation = azure.operation.iter().filter(|operation| operation.by_us);
        let mut on_its_way = operation.flat_map(|operation| &operation.add);
        let is_told = |id: &&ArmId| status.present.as_ref().is_some_and(|all| all.contains(*id));
        let early = on_its_way.find(|id| !azure.on.contains_key(*id) && is_told(id));
        if let Some(id) = early.filter(|_| self.undisturbed) {
            return Err(format!("{id} is reported before it is on the target"));
        }
        let rests = status.at_rest && !stored.0.is_empty();
        holds(!rests, "reported at rest with something recorded")?;
        holds(
            self.last_status.as_ref() != Some(status),
            "the same report twice",
        )?;
        self.last_status = Some(status.clone());
        Ok(())
    }
}

pub(super) fn holds(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

/// The least of the waits that [`crate::backoff::Backoff`] gives after so many failures.
pub(super) fn least_wait(first: u64, longest: u64, failures: u32) -> Duration {
    let full = first
        .saturating_mul(1 << failures.saturating_sub(1).min(20))
        .min(longest);
    Duration::from_secs(full) / 2
}
