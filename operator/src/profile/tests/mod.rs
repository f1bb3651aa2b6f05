//! Reconciliations against a cloud and an API server that write down what they are asked.

mod deleted;
pub(super) mod fixture;
mod held_back;
mod histories;
mod rechecks;
mod refusals;
mod truth;

use fixture::Fixture;
use kube::runtime::controller::Action;
use podid_azure::{AzureError, Operation, Reply};
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::binding::Pod;
use podid_core::net_raw::Breach;
use podid_core::profile::pods::{BoundPods, PodState};
use podid_crds::podid::PodIdentityProfile;
use serde_json::json;

fn asks_for_a_role() -> serde_json::Value {
    json!([{ "role": "Reader", "scope": "/subscriptions/s/resourceGroups/apps" }])
}

#[tokio::test]
async fn a_role_is_written_down_before_it_is_given() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.reconcile().await.expect("reconciled");
    let calls = fixture.calls();
    let at = |step: &str| {
        calls
            .iter()
            .position(|entry| entry.starts_with(step))
            .unwrap_or_else(|| panic!("{step} in {calls:?}"))
    };
    let noted = calls[at("put identity")..at("put role")].iter();
    let notes: Vec<_> = noted
        .filter(|entry| entry.starts_with("write status"))
        .collect();
    assert_eq!(notes, ["write status \"Progressing\""], "{calls:?}");
    assert!(at("put role") < at("apply AzureIdentity"), "{calls:?}");
    let status = fixture.profile().status.expect("a status");
    assert_eq!(status.role_assignments.expect("recorded").len(), 1);
}

#[tokio::test]
async fn once_all_is_done_nothing_is_written() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.reconcile().await.expect("reconciled");
    fixture.forget_calls();
    let action = fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.writes(), [""; 0]);
    assert_ne!(
        action,
        Action::await_change(),
        "looked at again at its interval"
    );
}

#[tokio::test]
async fn a_follower_neither_reads_nor_writes() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.follow();
    fixture.reconcile().await.expect("nothing to do");
    assert_eq!(fixture.calls(), [""; 0]);
}

/// Fault 12: Azure answers 409 `RoleAssignmentExists`.
#[tokio::test]
async fn an_equal_assignment_of_somebody_else_is_used_and_never_revoked() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.assign_by_hand_unseen("Reader", "/subscriptions/s/resourceGroups/apps");
    fixture.reconcile().await.expect("reconciled");
    let recorded = fixture
        .profile()
        .status
        .and_then(|status| status.role_assignments);
    let recorded = recorded.expect("recorded");
    assert_eq!(
        (recorded.len(), recorded[0].created),
        (1, false),
        "{recorded:?}"
    );

    fixture.change(json!({ "className": "c" }));
    fixture.forget_calls();
    fixture.reconcile().await.expect("reconciled");
    assert!(
        !fixture
            .calls()
            .iter()
            .any(|entry| entry.starts_with("delete role")),
        "{:?}",
        fixture.calls()
    );
}

#[tokio::test]
async fn a_role_whose_answer_was_lost_is_remembered_and_taken_back() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.lose_next_role_answer();
    fixture.reconcile().await.expect("tried");
    assert!(!is_ready(&fixture.profile()));
    fixture.change(json!({ "className": "c" }));
    fixture.reconcile().await.expect("reconciled");
    assert!(is_ready(&fixture.profile()));
    assert_eq!(fixture.roles(), 0, "nothing leaks: {:?}", fixture.calls());
}

#[tokio::test]
async fn the_same_refusal_is_written_once() {
    for (status, code) in [(403, "AuthorizationFailed"), (400, "PrincipalNotFound")] {
        let fixture =
            Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
        let scope = "/subscriptions/s/resourceGroups/apps";
        fixture.refuse_roles(move || {
            let reply = Reply::new(status, code, "no");
            AzureError::refused(Operation::PutRoleAssignment, scope, reply)
        });
        fixture.reconcile().await.expect("tried");
        fixture.forget_calls();
        fixture.reconcile().await.expect("tried");
        let statuses = fixture
            .writes()
            .into_iter()
            .filter(|write| write.starts_with("write status"));
        assert_eq!(statuses.count(), 0, "{code}: {:?}", fixture.calls());
    }
}

fn named(name: &str) -> serde_json::Value {
    json!({ "className": "c", "identity": { "name": name } })
}

#[tokio::test]
async fn a_renamed_profile_deletes_its_former_identity_unless_it_is_somebody_elses_now() {
    for (made_anew, deleted, left) in [
        (false, false, vec!["new"]),
        (true, false, vec!["new", "old"]),
        (false, true, vec![]),
        (true, true, vec!["old"]),
    ] {
        let fixture = Fixture::with_profile(named("old"));
        fixture.reconcile().await.expect("reconciled");
        if made_anew {
            fixture.make_anew_by_hand("old");
        }
        fixture.change(named("new"));
        if deleted {
            fixture.delete();
        }
        fixture.reconcile().await.expect("reconciled");
        assert_eq!(fixture.identities(), left, "{:?}", fixture.calls());
    }
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let conditions = profile
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

fn conditions(profile: &PodIdentityProfile, kind: &str) -> Option<(String, String, String)> {
    let status = profile.status.as_ref()?;
    let mut all = status.conditions.iter().flatten();
    let found = all.find(|condition| condition.type_ == kind)?;
    Some((
        found.status.clone(),
        found.reason.clone(),
        found.message.clone(),
    ))
}

#[tokio::test]
async fn a_profile_is_ready_only_while_its_pods_get_its_identity() {
    let failure = AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the operator the right".into(),
    };
    let keeps = [Breach::KeepsNetRaw("app".into())].into();
    let table = [
        (PodState::Assigned, "True", "True", "True"),
        (
            PodState::UnderWay {
                late: false,
                failure: None,
            },
            "Unknown",
            "True",
            "True",
        ),
        (
            PodState::UnderWay {
                late: true,
                failure: None,
            },
            "False",
            "True",
            "False",
        ),
        (PodState::Failed(failure), "False", "True", "False"),
        (PodState::Refused(keeps), "False", "False", "False"),
    ];
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    for (state, assignment, enforcement, ready) in table {
        let mut pods = BoundPods::default();
        pods.add("web-0", &state, &Default::default());
        fixture.bind(pods);
        fixture.reconcile().await.expect("reconciled");
        let profile = fixture.profile();
        let status = |kind| conditions(&profile, kind).expect(kind).0;
        let found = (
            status("AssignmentReady"),
            status("EnforcementReady"),
            status("Ready"),
        );
        let expected = (assignment.into(), enforcement.into(), ready.into());
        assert_eq!(found, expected, "{state:?}");
        fixture.forget_calls();
        fixture.reconcile().await.expect("reconciled");
        assert_eq!(fixture.writes(), [""; 0], "{state:?}");
    }
    let profile = fixture.profile();
    let status = profile.status.clone().expect("a status");
    let refused = status.refused_pods.expect("named");
    assert_eq!(refused[0].name, "web-0");
    assert_eq!(
        (status.bound_pods, status.assigned_pods),
        (Some(1), Some(0))
    );
    fixture.bind(BoundPods::default());
    fixture.reconcile().await.expect("reconciled");
    assert!(is_ready(&fixture.profile()));
    let status = fixture.profile().status.expect("a status");
    assert_eq!(
        (status.refused_pods, status.refused_pod_count),
        (None, None)
    );
}

fn one_pod(state: &PodState) -> BoundPods {
    let mut pods = BoundPods::default();
    pods.add("web-0", state, &Default::default());
    pods
}

fn refused_by_azure() -> PodState {
    PodState::Failed(AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant the operator the right".into(),
    })
}

#[tokio::test]
async fn what_its_pods_are_refused_hinders_a_profile_across_a_restart() {
    let mut fixture = Fixture::with_profile(named("a"));
    fixture.bind(one_pod(&refused_by_azure()));
    fixture.reconcile().await.expect("reconciled");
    fixture.restart();
    fixture.forget_calls();
    fixture.reconcile().await.expect("reconciled");
    fixture.bind(one_pod(&refused_by_azure()));
    fixture.pods_are_known();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.writes(), [""; 0], "nothing else is said meanwhile");
    assert!(!is_ready(&fixture.profile()));
}

#[tokio::test]
async fn a_restart_in_the_middle_of_an_edit_forgets_no_hindrance() {
    let mut fixture = Fixture::with_profile(named("a"));
    fixture.bind(one_pod(&refused_by_azure()));
    fixture.reconcile().await.expect("reconciled");
    let identity = json!({ "name": "a", "tags": { "team": "shop" } });
    fixture.change(json!({ "className": "c", "identity": identity }));
    let hold = fixture.hold_identity_writes();
    {
        let working = fixture.reconcile();
        tokio::pin!(working);
        tokio::select! {
            _ = &mut working => panic!("not held up"),
            () = hold.reached() => {}
        }
    }
    fixture.restart();
    hold.release();
    fixture.reconcile().await.expect("reconciled");
    let (status, _, message) = conditions(&fixture.profile(), "Ready").expect("Ready");
    assert_eq!(
        (status.as_str(), message.as_str()),
        ("False", "grant the operator the right")
    );
}

#[tokio::test]
async fn what_is_only_audited_is_said_once() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "netRaw": "Audit" }));
    let keeps = [Breach::KeepsNetRaw("app".into())].into();
    let mut pods = BoundPods::default();
    pods.add("web-0", &PodState::Assigned, &keeps);
    fixture.bind(pods);
    fixture.reconcile().await.expect("reconciled");
    let (status, _, message) = conditions(&fixture.profile(), "EnforcementReady").expect("said");
    assert_eq!(status, "True");
    let said = message.matches("podid serves pods that do not").count();
    assert_eq!(said, 1, "{message}");
}

#[tokio::test]
async fn a_profile_is_not_even_ready_at_first_while_an_older_pod_keeps_net_raw() {
    let pod = |selector: &str, account: &str| Pod {
        namespace: "ns".into(),
        name: "old".into(),
        uid: "u".into(),
        selector: Some(selector.into()),
        service_account: account.into(),
        breaches: [Breach::KeepsNetRaw("app".into())].into(),
        unserved: None,
    };
    let table = [
        (pod("p", "web"), false),
        (pod("another", "web"), true),
        (pod("p", "another"), true),
    ];
    for (pod, ready) in table {
        let binding = json!({ "serviceAccounts": ["web"] });
        let fixture = Fixture::with_profile(json!({ "className": "c", "binding": binding }));
        fixture.run(&pod);
        fixture.reconcile().await.expect("reconciled");
        assert_eq!(is_ready(&fixture.profile()), ready, "{pod:?}");
    }
}
