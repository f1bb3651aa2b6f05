use proptest::prelude::*;

use super::*;
use crate::assigned_identity::AssignmentFailure;
use crate::target::{Persistence, TargetFailure};
use crate::testing::{id, ids};

fn desired(names: &[&str]) -> DesiredIdentities {
    DesiredIdentities {
        desired: ids(names),
        ..DesiredIdentities::default()
    }
}

fn status(generation: u64, ours: &[&str]) -> TargetStatus {
    TargetStatus {
        generation,
        present: Some(ids(ours)),
        ours: ids(ours),
        ..TargetStatus::default()
    }
}

fn managed(names: &[&str]) -> ManagedTarget {
    ManagedTarget::new(desired(names), TargetStatus::default()).0
}

#[test]
fn a_target_may_have_an_identity_from_when_it_is_desired_until_it_is_reported_gone() {
    let mut managed = managed(&["a"]);
    assert_eq!(managed.identities(), ids(&["a"]));
    // It is no longer desired while it may be on its way.
    managed.set_desired(desired(&[]));
    assert_eq!(managed.identities(), ids(&["a"]));
    managed.on_status(status(1, &[]));
    assert_eq!(managed.identities(), ids(&["a"]), "a report of before");
    managed.on_status(status(2, &["a"]));
    assert_eq!(managed.identities(), ids(&["a"]), "it is still there");
    managed.on_status(status(2, &[]));
    assert_eq!(managed.identities(), ids(&[]));
    assert!(!managed.may_have(&id("a")));
}

#[test]
fn a_target_has_what_an_earlier_run_left() {
    let (managed, _) = ManagedTarget::new(desired(&["new"]), status(0, &["old"]));
    assert_eq!(managed.identities(), ids(&["new", "old"]));
}

#[test]
fn only_something_else_is_an_event() {
    let (mut managed, first) = ManagedTarget::new(desired(&["a"]), TargetStatus::default());
    assert_eq!(first, TargetEvent::Desired(1, desired(&["a"])));
    assert_eq!(managed.set_desired(desired(&["a"])), None);
    let kept = DesiredIdentities {
        kept: ids(&["b"]),
        ..desired(&["a"])
    };
    let second = TargetEvent::Desired(2, kept.clone());
    assert_eq!(managed.set_desired(kept), Some(second));
}

#[test]
fn a_target_is_finished_when_it_rests_with_what_is_desired_last() {
    let resting = |generation| TargetStatus {
        at_rest: true,
        ..status(generation, &[])
    };
    let mut managed = managed(&[]);
    managed.set_desired(desired(&["a"]));
    assert!(!managed.on_status(resting(1)).is_finished, "of before");
    managed.set_desired(desired(&[]));
    assert!(!managed.on_status(status(3, &[])).is_finished);
    assert!(managed.on_status(resting(3)).is_finished);
    assert_eq!(managed.identities(), ids(&[]));
}

#[test]
fn a_report_says_what_is_new_and_what_of_that_is_refused() {
    let failure = |persistence| TargetFailure {
        cause: AssignmentFailure {
            reason: "Forbidden".into(),
            message: "grant it".into(),
        },
        persistence,
    };
    let failed = TargetStatus {
        failures: [
            (id("bad"), failure(Persistence::Permanent)),
            (id("new"), failure(Persistence::Unconfirmed)),
            (id("late"), failure(Persistence::Transient)),
        ]
        .into(),
        ..status(1, &["good"])
    };
    let mut managed = managed(&["good", "bad", "new", "late"]);
    let change = managed.on_status(failed.clone());
    assert_eq!(change.changed, ids(&["good", "bad", "new", "late"]));
    assert_eq!(
        change.refused,
        ids(&["bad", "new"]),
        "not what is throttled"
    );
    let again = managed.on_status(TargetStatus {
        generation: 2,
        ..failed.clone()
    });
    assert_eq!((again.changed, again.refused), (ids(&[]), ids(&[])));
    assert_eq!(managed.status().failures, failed.failures);
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn some() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(&NAMES[..], 0..=NAMES.len())
}

proptest! {
    /// Reports arrive in their order and late: about any generation since the last reported one.
    #[test]
    fn no_order_of_events_makes_free_what_may_be_put_on(
        steps in proptest::collection::vec((any::<bool>(), some(), 0_u64..3), 1..30),
    ) {
        let mut managed = managed(&[]);
        let mut generations = vec![ids(&[])];
        let (mut reported, mut ours) = (1, ids(&[]));
        for (is_report, names, ahead) in steps {
            if is_report {
                reported = (reported + ahead).min(generations.len() as u64);
                ours = ids(&names);
                managed.on_status(status(reported, &names));
            } else if managed.set_desired(desired(&names)).is_some() {
                generations.push(ids(&names));
            }
            let since = usize::try_from(reported - 1).expect("few");
            let mut may_come = ours.clone();
            may_come.extend(generations[since..].iter().flatten().cloned());
            prop_assert!(may_come.is_subset(&managed.identities()));
            for name in NAMES {
                let is_named = managed.identities().contains(&id(name));
                prop_assert_eq!(managed.may_have(&id(name)), is_named);
            }
        }
    }
}
