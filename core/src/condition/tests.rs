//! The rules that kstatus and Flux's own checker hold every object to, each as a property.

use proptest::prelude::*;

use super::*;

fn outcome() -> impl Strategy<Value = ReconcileOutcome> {
    let text = "[a-z]{1,8}";
    prop_oneof![
        text.prop_map(|message| ReconcileOutcome::Ready { message }),
        text.prop_map(|message| ReconcileOutcome::Progressing { message }),
        text.prop_map(|message| ReconcileOutcome::Retrying { message }),
        text.prop_map(|message| ReconcileOutcome::Waiting { message }),
        (text, text).prop_map(|(reason, message)| ReconcileOutcome::Stalled { reason, message }),
        (any::<bool>(), prop::option::of(text)).prop_map(|(applied, pods_problem)| {
            ReconcileOutcome::Suspended {
                applied,
                pods_problem,
            }
        }),
    ]
}

fn suspended(applied: bool, pods_problem: Option<&str>) -> ReconcileOutcome {
    ReconcileOutcome::Suspended {
        applied,
        pods_problem: pods_problem.map(str::to_owned),
    }
}

fn parts() -> impl Strategy<Value = Vec<SubCondition>> {
    let part = |kind| {
        let status = prop_oneof![
            Just(ConditionStatus::True),
            Just(ConditionStatus::False),
            Just(ConditionStatus::Unknown)
        ];
        (status, "[a-z]{1,3}").prop_map(move |(status, reason)| SubCondition {
            kind,
            status,
            message: reason.clone(),
            reason,
        })
    };
    let some = (
        part("IdentityReady"),
        part("AccessReady"),
        any::<[bool; 2]>(),
    );
    some.prop_map(|(identity, access, found)| {
        let parts = [identity, access].into_iter().zip(found);
        parts.filter(|(_, found)| *found).map(|(p, _)| p).collect()
    })
}

const KINDS: [&str; 2] = ["IdentityReady", "AccessReady"];

/// What a history of reconciliations leaves, one generation and one second each.
fn after(history: &[(ReconcileOutcome, Vec<SubCondition>)]) -> Vec<Vec<Condition<i64>>> {
    let mut states: Vec<Vec<Condition<i64>>> = Vec::new();
    for (second, (outcome, parts)) in (1..).zip(history) {
        let before = states.last().cloned().unwrap_or_default();
        let state = conditions(outcome, &KINDS, parts, second, &second, &before);
        states.push(state);
    }
    states
}

fn find<'a>(state: &'a [Condition<i64>], kind: &str) -> Option<&'a Condition<i64>> {
    state.iter().find(|condition| condition.kind == kind)
}

proptest! {
    #[test]
    fn flux_can_read_every_state(history in prop::collection::vec((outcome(), parts()), 1..8)) {
        for (generation, state) in (1..).zip(after(&history)) {
            let ready = find(&state, READY).expect("Ready is always there");
            let negative = find(&state, RECONCILING).or(find(&state, STALLED));
            prop_assert!(find(&state, RECONCILING).is_none() || find(&state, STALLED).is_none());
            if let Some(negative) = negative {
                prop_assert_eq!(negative.status, ConditionStatus::True, "abnormal-true, else absent");
                prop_assert_ne!(ready.status, ConditionStatus::True);
                prop_assert_eq!(&ready.reason, &negative.reason);
                prop_assert_eq!(&ready.message, &negative.message);
            }
            if ready.status == ConditionStatus::Unknown {
                prop_assert!(find(&state, RECONCILING).is_some());
            }
            for condition in &state {
                let observed = condition.observed_generation;
                let is_part = KINDS.contains(&condition.kind.as_str());
                prop_assert!(is_part || observed == Some(generation));
                prop_assert!(observed <= Some(generation));
                if ready.status == ConditionStatus::True {
                    prop_assert_eq!(observed, Some(generation), "nothing lags behind Ready=True");
                }
                prop_assert!(!condition.reason.is_empty());
            }
            let mut kinds: Vec<&str> = state.iter().map(|c| c.kind.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            prop_assert_eq!(kinds.len(), state.len(), "one condition per type");
        }
    }

    #[test]
    fn a_transition_time_moves_only_with_a_status(
        history in prop::collection::vec((outcome(), parts()), 2..8),
    ) {
        let states = after(&history);
        for (second, pair) in (2..).zip(states.windows(2)) {
            for new in &pair[1] {
                let old = find(&pair[0], &new.kind).filter(|old| old.status == new.status);
                let want = old.map_or(second, |old| old.last_transition_time);
                prop_assert_eq!(new.last_transition_time, want, "{}", new.kind);
            }
        }
    }

    #[test]
    fn the_same_outcome_again_changes_nothing(outcome in outcome(), parts in parts()) {
        let first = conditions(&outcome, &KINDS, &parts, 3, &1, &[]);
        prop_assert_eq!(&conditions(&outcome, &KINDS, &parts, 3, &2, &first), &first);
    }

    /// Only what was found out for a generation carries it, or what is known to be the same.
    #[test]
    fn a_part_speaks_of_the_generation_it_was_found_out_for(
        history in prop::collection::vec((outcome(), parts()), 1..8),
    ) {
        let states = after(&history);
        for (at, (outcome, found)) in history.iter().enumerate() {
            let generation = i64::try_from(at).unwrap() + 1;
            for kind in KINDS {
                let new = find(&states[at], kind);
                let old = at.checked_sub(1).and_then(|at| find(&states[at], kind));
                match (found.iter().any(|part| part.kind == kind), old) {
                    (true, _) => {
                        prop_assert_eq!(new.and_then(|c| c.observed_generation), Some(generation));
                    }
                    (false, Some(old))
                        if matches!(outcome, ReconcileOutcome::Suspended { applied: true, .. }) =>
                    {
                        let observed_generation = old.observed_generation.map(|_| generation);
                        let same = Condition { observed_generation, ..old.clone() };
                        prop_assert_eq!(new, Some(&same));
                    }
                    (false, Some(old)) => prop_assert_eq!(new, Some(old), "word for word"),
                    (false, None) => {
                        prop_assert_eq!(new.and_then(|c| c.observed_generation), None);
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_not_applied_is_never_ready_while_suspended(
        history in prop::collection::vec((outcome(), parts()), 0..8),
    ) {
        let before = after(&history).pop().unwrap_or_default();
        let suspended = suspended(false, None);
        let state = conditions(&suspended, &KINDS, &[], 9, &9, &before);
        let ready = find(&state, READY).map(|c| (c.status, c.observed_generation));
        prop_assert_eq!(ready, Some((ConditionStatus::False, Some(9))));
        let stalled = find(&state, STALLED).map(|c| (c.status, c.observed_generation));
        prop_assert_eq!(stalled, Some((ConditionStatus::True, Some(9))));
    }

    #[test]
    fn what_is_suspended_is_ready_exactly_while_every_part_is_and_nothing_hinders(
        history in prop::collection::vec((outcome(), parts()), 0..8),
        found in parts(), pods_problem in prop::option::of("[a-z]{1,8}"),
    ) {
        let before = after(&history).pop().unwrap_or_default();
        let outcome = suspended(true, pods_problem.as_deref());
        let state = conditions(&outcome, &KINDS, &found, 9, &9, &before);
        let well = KINDS.iter().filter_map(|kind| find(&state, kind)).all(|part| {
            part.status == ConditionStatus::True && part.observed_generation == Some(9)
        });
        let ready = find(&state, READY).expect("Ready is always there");
        prop_assert_eq!(ready.status == ConditionStatus::True, well && pods_problem.is_none());
        prop_assert_eq!(&*ready.reason, SUSPENDED);
    }
}

#[test]
fn what_was_not_reached_is_pending_only_after_work() {
    let retrying = ReconcileOutcome::Retrying {
        message: "again".into(),
    };
    let failed = SubCondition {
        kind: "IdentityReady",
        status: ConditionStatus::False,
        reason: "R".into(),
        message: "m".into(),
    };
    let access = |found: &[SubCondition]| {
        let state = conditions(&retrying, &KINDS, found, 4, &1, &[]);
        find(&state, "AccessReady").cloned()
    };
    assert_eq!(access(&[]), None, "nothing was worked on");
    let pending = Condition {
        kind: "AccessReady".into(),
        status: ConditionStatus::Unknown,
        reason: PENDING.into(),
        message: "podid has not come to this part of it yet".into(),
        observed_generation: None,
        last_transition_time: 1,
    };
    assert_eq!(access(&[failed]), Some(pending));
}

#[test]
fn suspending_what_is_ready_is_no_failure() {
    let ready = ReconcileOutcome::Ready {
        message: "fine".into(),
    };
    let part = SubCondition {
        kind: "IdentityReady",
        status: ConditionStatus::True,
        reason: "Found".into(),
        message: "there".into(),
    };
    let before = conditions(&ready, &KINDS[..1], &[part], 1, &1, &[]);
    let after = conditions(&suspended(true, None), &KINDS[..1], &[], 2, &2, &before);
    assert_eq!(
        find(&after, READY).map(|c| (c.status, c.reason.as_str())),
        Some((ConditionStatus::True, SUSPENDED))
    );
    assert!(find(&after, "IdentityReady").is_some(), "parts stay");
}

#[test]
fn a_part_that_was_checked_alone_gets_the_generation_of_the_others() {
    let part = |status| SubCondition {
        kind: "NodesGuarded",
        status,
        reason: "R".into(),
        message: "m".into(),
    };
    let ready = ReconcileOutcome::Ready {
        message: "fine".into(),
    };
    let before = conditions(&ready, &[], &[], 3, &1, &[]);
    let added = with_part(&before, part(ConditionStatus::True), &2);
    assert_eq!(added[..1], before[..]);
    let at =
        |found: &[Condition<i32>]| (found[1].observed_generation, found[1].last_transition_time);
    assert_eq!((added.len(), at(&added)), (2, (Some(3), 2)));
    let same = with_part(&added, part(ConditionStatus::True), &9);
    assert_eq!(same, added, "nothing is written where nothing changed");
    let other = with_part(&added, part(ConditionStatus::False), &9);
    assert_eq!((other.len(), at(&other)), (2, (Some(3), 9)));
}
