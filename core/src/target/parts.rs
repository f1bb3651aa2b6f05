//! A plan in parts, so that one bad identity does not keep the others from being assigned.

use std::collections::{BTreeSet, VecDeque};

use crate::arm::ArmId;
use crate::target::TargetPlan;

/// Most identities one change names. Azure refuses more than 150 in a request.
pub const MAX_CHANGES: usize = 100;

/// The parts of a plan that are still to be carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(VecDeque<TargetPlan>);

impl Parts {
    /// Parts small enough for one request; those that failed last time come last and on their own, and `tried`
    /// among them are one part.
    pub(super) fn new(
        plan: &TargetPlan,
        suspects: &BTreeSet<ArmId>,
        tried: &BTreeSet<ArmId>,
    ) -> Self {
        let good = plan.without(suspects);
        let doubtful = plan.without(&good.add).without(&good.remove);
        let own = doubtful.without(tried);
        let shared = doubtful.without(&own.add).without(&own.remove);
        let parts = [good, own, shared];
        Self(
            parts
                .iter()
                .flat_map(|plan| plan.chunks(MAX_CHANGES))
                .collect(),
        )
    }

    pub(super) fn next(&self) -> Option<&TargetPlan> {
        self.0.front()
    }

    pub(super) fn take_next(&mut self) -> Option<TargetPlan> {
        self.0.pop_front()
    }

    /// Identities that are still to be removed.
    pub(super) fn leaving(&self) -> BTreeSet<ArmId> {
        let removed = self.0.iter().flat_map(|part| &part.remove);
        removed.cloned().collect()
    }

    /// Splits a part that Azure refused because of one of its identities, unless it is `tried`, which is not
    /// worth more calls. Returns the causes, if they are known: the only identity of the part, or those that
    /// Azure named among others.
    pub(super) fn isolate(
        &mut self,
        part: &TargetPlan,
        named: &BTreeSet<ArmId>,
        tried: &BTreeSet<ArmId>,
    ) -> BTreeSet<ArmId> {
        let all = &part.add | &part.remove;
        if all.len() <= 1 {
            return all;
        }
        let is_tried = all.is_subset(tried);
        let culprits = &all & named;
        // Where Azure names all of them, it does not tell which of them is the cause.
        if !culprits.is_empty() && culprits.len() < all.len() {
            if !is_tried {
                self.0.push_front(part.without(&culprits));
            }
            return culprits;
        }
        if is_tried {
            return BTreeSet::new();
        }
        for half in part.chunks(part.len().div_ceil(2)).into_iter().rev() {
            self.0.push_front(half);
        }
        BTreeSet::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ids;

    fn plan(add: &[&str], remove: &[&str]) -> TargetPlan {
        TargetPlan {
            add: ids(add),
            remove: ids(remove),
        }
    }

    #[test]
    fn what_failed_last_time_comes_last_and_on_its_own() {
        let mut parts = Parts::new(
            &plan(&["a", "bad"], &["c", "worse"]),
            &ids(&["bad", "worse"]),
            &ids(&[]),
        );
        assert_eq!(parts.leaving(), ids(&["c", "worse"]));
        assert_eq!(parts.take_next(), Some(plan(&["a"], &["c"])));
        assert_eq!(parts.leaving(), ids(&["worse"]));
        assert_eq!(parts.take_next(), Some(plan(&["bad"], &["worse"])));
        assert_eq!(parts.take_next(), None);
    }

    #[test]
    fn what_is_tried_again_is_one_part_that_is_not_split() {
        let plan_of_all = plan(&["a", "b", "new"], &["c"]);
        let (suspects, tried) = (ids(&["a", "b", "c"]), ids(&["a", "b"]));
        let mut parts = Parts::new(&plan_of_all, &suspects, &tried);
        assert_eq!(parts.take_next(), Some(plan(&["new"], &[])));
        assert_eq!(parts.take_next(), Some(plan(&[], &["c"])));
        let part = parts.take_next().expect("the tried ones");
        assert_eq!(part, plan(&["a", "b"], &[]));
        for (named, culprits) in [(&["a"][..], &["a"][..]), (&["a", "b"], &[]), (&[], &[])] {
            let found = parts.isolate(&part, &ids(named), &tried);
            assert_eq!(
                (found, parts.take_next()),
                (ids(culprits), None),
                "{named:?}"
            );
        }
        let alone = plan(&["a"], &[]);
        assert_eq!(parts.isolate(&alone, &ids(&[]), &ids(&["a"])), ids(&["a"]));
    }

    #[test]
    fn named_culprits_are_taken_out_and_unnamed_ones_halved() {
        let part = plan(&["a", "b", "c"], &[]);
        let mut parts = Parts::default();
        assert_eq!(
            parts.isolate(&part, &ids(&["B", "other"]), &ids(&[])),
            ids(&["b"])
        );
        assert_eq!(parts.take_next(), Some(plan(&["a", "c"], &[])));
        for named in [ids(&[]), ids(&["a", "b", "c"])] {
            assert_eq!(parts.isolate(&part, &named, &ids(&[])), ids(&[]));
            assert_eq!(parts.take_next(), Some(plan(&["a", "b"], &[])));
            assert_eq!(parts.take_next(), Some(plan(&["c"], &[])));
        }
        let alone = plan(&[], &["a"]);
        assert_eq!(parts.isolate(&alone, &ids(&[]), &ids(&[])), ids(&["a"]));
        assert_eq!(parts.take_next(), None);
    }
}
