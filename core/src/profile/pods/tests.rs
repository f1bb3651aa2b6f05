use super::*;

fn failure(reason: &str) -> AssignmentFailure {
    AssignmentFailure {
        reason: reason.into(),
        message: format!("mend {reason}"),
    }
}

fn under_way(late: bool, reason: Option<&str>) -> PodState {
    PodState::UnderWay {
        late,
        failure: reason.map(failure),
    }
}

fn bound(states: &[PodState]) -> BoundPods {
    let mut bound = BoundPods::default();
    for (number, state) in states.iter().enumerate() {
        bound.add(&format!("web-{number}"), state, &BTreeSet::new());
    }
    bound
}

#[test]
fn pods_on_their_way_unsettle_nothing_until_it_takes_longer_than_usual() {
    use PodState::{Assigned, Failed, Refused};
    let refused = || Refused([Breach::HostPid].into());
    let table = [
        (vec![], "True NoPods: no pod on a node is bound", None),
        (
            vec![Assigned, Assigned],
            "True Assigned: 2 of 2 pods have the identity on their node",
            None,
        ),
        (
            vec![Assigned, under_way(false, None)],
            "Unknown Assigning: 1 of 2 pods have the identity on their node",
            None,
        ),
        (
            vec![under_way(false, Some("Throttled"))],
            "Unknown Assigning: 0 of 1 pod has the identity on its node",
            None,
        ),
        (
            vec![Assigned, under_way(true, Some("Throttled"))],
            "False Throttled: 1 of 2 pods have the identity on their node: mend Throttled",
            Some("mend Throttled"),
        ),
        (
            vec![
                Failed(failure("LinkedAuthorizationFailed")),
                under_way(false, None),
            ],
            "False LinkedAuthorizationFailed: 0 of 2 pods have the identity on their node: mend \
             LinkedAuthorizationFailed",
            Some("mend LinkedAuthorizationFailed"),
        ),
        (
            vec![Failed(failure("odd code"))],
            "False AssignmentFailed: 0 of 1 pod has the identity on its node: mend odd code",
            Some("mend odd code"),
        ),
        (
            vec![Assigned, refused()],
            "False PodsRefused: 1 of 2 pods have the identity on their node, 1 refused (see \
             status.refusedPods): the pods that status.refusedPods names get no identity; correct \
             their template, as their Events say, and recreate them",
            Some(REFUSED),
        ),
    ];
    for (states, expected, problem) in table {
        let bound = bound(&states);
        let part = bound.part();
        let said = format!("{} {}: {}", part.status.as_str(), part.reason, part.message);
        assert_eq!(said, expected);
        assert_eq!(bound.problem().as_deref(), problem, "{states:?}");
        if let Some(problem) = problem {
            assert_eq!(BoundPods::problem_in(&part.message), problem);
        }
    }
}

#[test]
fn a_wait_without_an_answer_is_named_too() {
    let part = bound(&[under_way(true, None)]).part();
    assert_eq!(
        (part.status, part.reason.as_str()),
        (ConditionStatus::False, "AssignmentDelayed")
    );
}

#[test]
fn the_cause_stays_the_same_sentence_whatever_pods_come() {
    let failed = PodState::Failed(failure("Forbidden"));
    let one = bound(std::slice::from_ref(&failed));
    let three = bound(&[failed.clone(), PodState::Assigned, failed]);
    assert_eq!(one.problem(), three.problem());
}

#[test]
fn pods_are_counted_by_what_keeps_them_from_the_identity() {
    let failed = |reason| PodState::Failed(failure(reason));
    let late = |reason| under_way(true, Some(reason));
    let bound = bound(&[failed("A"), failed("B"), failed("B"), late("A"), late("A")]);
    assert_eq!(bound.failed, [(failure("A"), 1), (failure("B"), 2)].into());
    assert_eq!(bound.late, [(failure("A"), 2)].into());
}

#[test]
fn pods_of_unserved_kinds_count_as_refused_and_break_no_rule() {
    let states = [PodState::Assigned, PodState::Unserved(Unserved::Static)];
    let bound = bound(&states);
    assert_eq!((bound.refused.count, bound.unserved.count), (0, 1));
    let part = bound.part();
    assert_eq!(
        (part.status, part.reason.as_str()),
        (ConditionStatus::False, "PodsRefused")
    );
    let counts =
        "1 of 2 pods have the identity on their node, 1 refused (see status.refusedPods): ";
    assert!(part.message.starts_with(counts), "{}", part.message);
    assert_eq!(
        bound.unserved.sentence(1),
        "web-1 (it is a static pod, which its node's kubelet runs from a file)"
    );
}

#[test]
fn few_pods_are_named_and_all_are_counted() {
    let refused = PodState::Refused([Breach::HostPid].into());
    let many = bound(&vec![refused; 50]).refused;
    assert_eq!((many.first.len(), many.count), (NamedPods::MAX_NAMED, 50));
    let text = many.sentence(2);
    assert_eq!(
        text,
        "web-0 (the pod sets hostPID: true), web-1 (the pod sets hostPID: true) and others"
    );
}

#[test]
fn an_identity_that_is_refused_everywhere_is_told_of_once() {
    let on = |vm: usize| AssignmentFailure {
        reason: "Forbidden".into(),
        message: format!("VM {vm} refuses it"),
    };
    let states: Vec<PodState> = (0..500).map(|vm| PodState::Failed(on(vm))).collect();
    let pods = bound(&states);
    let problem = pods.problem().expect("a problem");
    assert_eq!(problem, format!("VM 0 refuses it{ELSEWHERE}"));
    assert_eq!(BoundPods::problem_in(&pods.part().message), problem);
    let fewer = bound(&states[..3]);
    assert_eq!(fewer.problem(), Some(problem), "however many there are");
}
