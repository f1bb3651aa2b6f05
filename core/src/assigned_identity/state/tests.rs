use super::*;
use crate::testing::{id, ids};

#[test]
fn what_was_assigned_stays_so_until_azure_says_otherwise() {
    use AssignmentState::{Assigned, Created};
    let (on, off) = (ids(&["A"]), ids(&[]));
    let a = id("a");
    assert_eq!(assignment_state(&a, None, None, None), Created);
    assert_eq!(assignment_state(&a, None, None, Some(Assigned)), Assigned);
    assert_eq!(
        assignment_state(&a, Some(&off), None, Some(Assigned)),
        Created
    );
    assert_eq!(assignment_state(&a, Some(&on), None, None), Assigned);
    let failure = AssignmentFailure {
        reason: "AuthorizationFailed".into(),
        message: "the VM cannot be read".into(),
    };
    let unread = assignment_state(&a, None, Some(&failure), Some(Assigned));
    assert_eq!(
        unread, Assigned,
        "a target that cannot be read changes nothing"
    );
    assert_eq!(
        assignment_state(&a, Some(&off), Some(&failure), Some(Assigned)),
        AssignmentState::Failed(failure)
    );
}

#[test]
fn an_unverified_identity_is_not_served_although_the_target_has_it() {
    use AssignmentState::{Assigned, Created, Failed};
    let failure = AssignmentFailure {
        reason: "OwnedByProfile".into(),
        message: "not yours".into(),
    };
    let table = [
        (Verification::Verified, Some(Assigned), None),
        (Verification::Pending(None), None, Some(Created)),
        (Verification::Pending(None), Some(Assigned), Some(Assigned)),
        (
            Verification::Pending(None),
            Some(Failed(failure.clone())),
            Some(Failed(failure.clone())),
        ),
        (
            Verification::Refused(failure.clone()),
            Some(Assigned),
            Some(Failed(failure)),
        ),
    ];
    for (verification, before, expected) in table {
        assert_eq!(
            unverified_state(&verification, before),
            expected,
            "{verification:?}"
        );
    }
}

#[test]
fn a_refused_assignment_has_failed_unless_azure_shows_it() {
    let failure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the right".into(),
    };
    let failed = AssignmentState::Failed(failure.clone());
    let (on, off) = (ids(&["A"]), ids(&[]));
    let assignment_state =
        |on_target, failure| assignment_state(&id("a"), on_target, failure, Some(failed.clone()));
    assert_eq!(assignment_state(Some(&off), Some(&failure)), failed);
    assert_eq!(assignment_state(None, Some(&failure)), failed);
    assert_eq!(
        assignment_state(Some(&on), Some(&failure)),
        AssignmentState::Assigned
    );
    assert_eq!(
        assignment_state(Some(&off), None),
        failed,
        "a restart forgets the refusal, and Azure has not said yes"
    );
    assert_eq!(assignment_state(None, None), failed, "nothing new is known");
    let anew = AssignmentFailure {
        reason: "RequestDisallowedByPolicy".into(),
        message: "ask for an exemption".into(),
    };
    assert_eq!(
        assignment_state(Some(&off), Some(&anew)),
        AssignmentState::Failed(anew)
    );
}
