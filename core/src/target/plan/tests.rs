use std::collections::BTreeSet;

use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::testing::{id, ids};

fn some_ids() -> impl Strategy<Value = BTreeSet<ArmId>> {
    btree_set("[a-hA-H]".prop_map(|name| id(&name)), 0..8)
}

/// What Azure does with a plan.
fn applied(on_target: &BTreeSet<ArmId>, plan: &TargetPlan) -> BTreeSet<ArmId> {
    on_target
        .difference(&plan.remove)
        .chain(&plan.add)
        .cloned()
        .collect()
}

proptest! {
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_do(
        desired in some_ids(), before in some_ids(), record in some_ids(), fixed in some_ids(),
    ) {
        let record = AssignmentRecord(record);
        let plan = plan_target(&desired, &before, &record, &fixed);
        let after = applied(&before, &plan);
        let record = record.ahead_of(&plan.add).settled(&after);
        prop_assert!(desired.is_subset(&after));
        prop_assert!(plan_target(&desired, &after, &record, &fixed).is_empty());
    }

    #[test]
    fn what_is_foreign_or_immutable_stays(
        desired in some_ids(), before in some_ids(), record in some_ids(), fixed in some_ids(),
    ) {
        let plan = plan_target(&desired, &before, &AssignmentRecord(record.clone()), &fixed);
        prop_assert!(plan.remove.is_subset(&record));
        prop_assert!(plan.remove.is_subset(&before), "removing what is absent is no change");
        prop_assert!(plan.remove.is_disjoint(&fixed));
        prop_assert!(plan.remove.is_disjoint(&desired));
        prop_assert!(plan.add.is_disjoint(&before));
    }

    #[test]
    fn a_target_whose_pods_are_gone_is_as_it_was(desired in some_ids(), before in some_ids()) {
        let none = BTreeSet::new();
        let there = plan_target(&desired, &before, &AssignmentRecord::default(), &none);
        let record = AssignmentRecord::default().ahead_of(&there.add);
        let during = applied(&before, &there);
        let back = plan_target(&none, &during, &record, &none);
        let after = applied(&during, &back);
        prop_assert_eq!(&after, &before);
        prop_assert_eq!(record.settled(&after), AssignmentRecord::default());
    }

    #[test]
    fn letter_case_is_no_change(desired in some_ids(), record in some_ids()) {
        let upper = |ids: &BTreeSet<ArmId>| -> BTreeSet<ArmId> {
            ids.iter().map(|id| ArmId::new(id.as_str().to_uppercase())).collect()
        };
        let plan = plan_target(&desired, &upper(&desired), &AssignmentRecord(upper(&record)), &ids(&[]));
        prop_assert!(plan.is_empty(), "{}", plan);
    }

    #[test]
    fn parts_are_small_and_come_to_the_whole(
        desired in some_ids(), before in some_ids(), record in some_ids(), max in 1_usize..6,
    ) {
        let plan = plan_target(&desired, &before, &AssignmentRecord(record), &ids(&[]));
        let mut whole = TargetPlan::default();
        for part in plan.chunks(max) {
            prop_assert!((1..=max).contains(&part.len()));
            whole.add.extend(part.add);
            whole.remove.extend(part.remove);
        }
        prop_assert_eq!(whole, plan);
    }
}

#[test]
fn a_crash_after_the_record_leaks_nothing() {
    // Recorded, put on the VM, killed; meanwhile the pod went away.
    let plan = plan_target(
        &ids(&["a"]),
        &ids(&[]),
        &AssignmentRecord::default(),
        &ids(&[]),
    );
    let record = AssignmentRecord::default().ahead_of(&plan.add);
    let release = plan_target(&ids(&[]), &ids(&["A", "foreign"]), &record, &ids(&[]));
    assert_eq!(release.remove, ids(&["a"]));
}

#[test]
fn a_plan_without_some_identities_keeps_the_others() {
    let plan = TargetPlan {
        add: ids(&["a", "b"]),
        remove: ids(&["c", "d"]),
    };
    let expected = TargetPlan {
        add: ids(&["a"]),
        remove: ids(&["d"]),
    };
    assert_eq!(plan.without(&ids(&["B", "c", "e"])), expected);
    assert_eq!((plan.len(), expected.len()), (4, 2));
}

#[test]
fn a_plan_prints_in_a_line() {
    let plan = TargetPlan {
        add: ids(&["web", "db"]),
        remove: ids(&["old"]),
    };
    assert_eq!(plan.to_string(), "+db +web -old");
    assert_eq!(TargetPlan::default().to_string(), "nothing to change");
}
