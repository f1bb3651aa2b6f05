//! A plan in parts, so that one bad identity does not spoil the others.

use std::collections::{BTreeSet, VecDeque};

use podid_azure::IdentityPatch;
use podid_core::arm::ArmId;
use podid_core::target::TargetPlan;

/// The parts of a plan that are still to be carried out.
#[derive(Debug)]
pub(super) struct Parts(VecDeque<TargetPlan>);

impl Parts {
    /// Parts small enough for one request; those that failed last time come last and on their own.
    pub(super) fn new(plan: &TargetPlan, suspects: &BTreeSet<ArmId>) -> Self {
        let good = plan.without(suspects);
        let doubtful = plan.without(&good.add).without(&good.remove);
        let max = IdentityPatch::MAX_CHANGES;
        Self(
            good.chunks(max)
                .into_iter()
                .chain(doubtful.chunks(max))
                .collect(),
        )
    }

    pub(super) fn next(&mut self) -> Option<TargetPlan> {
        self.0.pop_front()
    }

    /// What is still to be taken away.
    pub(super) fn leaving(&self) -> BTreeSet<ArmId> {
        self.0
            .iter()
            .flat_map(|part| part.remove.iter().cloned())
            .collect()
    }

    /// Splits a part that one of its identities has spoilt. Returns the culprits, if they are
    /// certain enough: the only one there is, or those that Azure named among others.
    pub(super) fn isolate(&mut self, part: TargetPlan, named: &BTreeSet<ArmId>) -> BTreeSet<ArmId> {
        let all: BTreeSet<ArmId> = part.add.union(&part.remove).cloned().collect();
        if all.len() <= 1 {
            return all;
        }
        let culprits = &all & named;
        if !culprits.is_empty() && culprits.len() < all.len() {
            self.0.push_front(part.without(&culprits));
            return culprits;
        }
        let halves = part.chunks(part.len().div_ceil(2));
        halves
            .into_iter()
            .rev()
            .for_each(|half| self.0.push_front(half));
        BTreeSet::new()
    }
}
