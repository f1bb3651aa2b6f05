//! The rules that kstatus and Flux's own checker hold every object to, each as a property.

use proptest::prelude::*;

use super::*;

fn outcome() -> impl Strategy<Value = Outcome> {
    let text = "[a-z]{1,8}";
    prop_oneof![
        text.prop_map(|message| Outcome::Ready { message }),
        text.prop_map(|message| Outcome::Progressing { message }),
        text.prop_map(|message| Outcome::Retrying { message }),
        text.prop_map(|message| Outcome::Waiting { message }),
        (text, text).prop_map(|(reason, message)| Outcome::Stalled { reason, message }),
        Just(Outcome::Suspended),
    ]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let part = |kind| {
        let status = prop_oneof![
            Just(Status::True),
            Just(Status::False),
            Just(Status::Unknown)
        ];
        (status, "[a-z]{1,3}").prop_map(move |(status, reason)| Part {
            kind,
            status,
            message: reason.clone(),
            reason,
        })
    };
    prop_oneof![
        Just(Vec::new()),
        (part("IdentityReady"), part("AccessReady")).prop_map(|(a, b)| vec![a, b])
    ]
}

/// What a history of reconciliations leaves, one generation and one second each.
fn after(history: &[(Outcome, Vec<Part>)]) -> Vec<Vec<Condition<i64>>> {
    let mut states: Vec<Vec<Condition<i64>>> = Vec::new();
    for (second, (outcome, parts)) in (1..).zip(history) {
        let before = states.last().cloned().unwrap_or_default();
        states.push(conditions(outcome, parts, second, &second, &before));
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
                prop_assert_eq!(negative.status, Status::True, "abnormal-true, else absent");
                prop_assert_ne!(ready.status, Status::True);
                prop_assert_eq!(&ready.reason, &negative.reason);
                prop_assert_eq!(&ready.message, &negative.message);
            }
            if ready.status == Status::Unknown {
                prop_assert!(find(&state, RECONCILING).is_some());
            }
            for condition in &state {
                prop_assert_eq!(condition.observed_generation, generation);
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
        let first = conditions(&outcome, &parts, 3, &1, &[]);
        prop_assert_eq!(&conditions(&outcome, &parts, 3, &2, &first), &first);
    }
}

#[test]
fn suspending_what_is_ready_is_no_failure() {
    let ready = Outcome::Ready {
        message: "fine".into(),
    };
    let part = Part {
        kind: "IdentityReady",
        status: Status::True,
        reason: "Found".into(),
        message: "there".into(),
    };
    let before = conditions(&ready, &[part], 1, &1, &[]);
    let after = conditions(&Outcome::Suspended, &[], 2, &2, &before);
    assert_eq!(
        find(&after, READY).map(|c| (c.status, c.reason.as_str())),
        Some((Status::True, SUSPENDED))
    );
    assert!(find(&after, "IdentityReady").is_some(), "parts stay");
}

#[test]
fn suspending_what_never_was_ready_does_not_make_it_so() {
    let state = conditions(&Outcome::Suspended, &[], 1, &1, &[]);
    assert_eq!(find(&state, READY).map(|c| c.status), Some(Status::False));
}
