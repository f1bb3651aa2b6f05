//! What the status says is so, of the generation that it names, and it says something at once.

use kube::runtime::controller::Action;
use podid_core::condition::{Condition, ConditionStatus};
use podid_core::net_raw::Breach;
use podid_core::profile::pods::PodState;
use serde_json::json;

use super::fixture::Fixture;
use super::{asks_for_a_role, is_ready, named, one_pod, refused_by_azure};
use crate::conditions::from_kubernetes;

type Time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn conditions(fixture: &Fixture) -> Vec<Condition<Time>> {
    let status = fixture.profile().status.expect("a status");
    let conditions = status.conditions.unwrap_or_default();
    conditions.iter().map(from_kubernetes).collect()
}

fn find(fixture: &Fixture, kind: &str) -> Condition<Time> {
    let mut all = conditions(fixture).into_iter();
    all.find(|condition| condition.kind == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

fn parts(fixture: &Fixture) -> Vec<Condition<Time>> {
    let mut all = conditions(fixture);
    all.retain(|c| !["Ready", "Reconciling", "Stalled"].contains(&&*c.kind));
    all
}

#[tokio::test]
async fn the_status_is_filled_before_azure_is_asked_and_before_it_is_changed() {
    let fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.reconcile().await.expect("reconciled");
    let calls = fixture.calls();
    let at = |step: &str| calls.iter().position(|entry| entry.starts_with(step));
    assert!(at("write status") < at("read identity"), "{calls:?}");
    let writes: Vec<_> = calls
        .iter()
        .take_while(|entry| !entry.starts_with("put identity"))
        .filter(|entry| entry.starts_with("write status"))
        .collect();
    assert_eq!(writes, ["write status \"Progressing\""; 2], "{calls:?}");
}

#[tokio::test]
async fn while_a_slow_write_goes_on_the_status_says_which() {
    let fixture = Fixture::with_profile(named("cart"));
    let hold = fixture.hold_identity_writes();
    let working = fixture.reconcile();
    tokio::pin!(working);
    tokio::select! {
        _ = &mut working => panic!("not held up"),
        () = hold.reached() => {}
    }
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::Unknown, "Progressing")
    );
    assert_eq!(ready.message, "podid is creating identity cart");
    hold.release();
    working.await.expect("reconciled");
    assert!(is_ready(&fixture.profile()));
}

#[tokio::test]
async fn suspending_alone_keeps_ready_and_an_edit_beside_it_does_not() {
    let fixture = Fixture::with_profile(named("a"));
    fixture.reconcile().await.expect("reconciled");

    let mut spec = named("a");
    spec["suspend"] = json!(true);
    fixture.change(spec);
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::True, "Suspended")
    );
    let generations: Vec<_> = conditions(&fixture)
        .iter()
        .map(|c| c.observed_generation)
        .collect();
    assert!(
        generations.iter().all(|g| *g == Some(2)),
        "all of it was applied: {generations:?}"
    );

    let before = parts(&fixture);
    let mut spec = named("b");
    spec["suspend"] = json!(true);
    fixture.change(spec);
    fixture.forget_calls();
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason, ready.observed_generation),
        (ConditionStatus::False, "Suspended", Some(3))
    );
    assert_eq!(parts(&fixture), before, "no part has come to the edit");
    assert_eq!(fixture.writes(), ["write status \"Suspended\""]);

    let mut spec = named("a");
    spec["suspend"] = json!(true);
    fixture.change(spec);
    fixture.reconcile().await.expect("reconciled");
    assert!(is_ready(&fixture.profile()), "the edit is taken back");
}

#[tokio::test]
async fn what_was_not_ready_is_not_ready_when_suspended() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "suspend": true }));
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::False, "Suspended")
    );
    assert_eq!(fixture.writes(), ["write status \"Suspended\""]);
}

#[tokio::test]
async fn an_edit_that_the_class_refuses_leaves_every_part_as_it_was() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.reconcile().await.expect("reconciled");
    let before = parts(&fixture);
    assert!(
        before
            .iter()
            .any(|c| c.kind == "AccessReady" && c.status == ConditionStatus::True)
    );

    let owner = json!([{ "role": "Owner", "scope": "/subscriptions/s" }]);
    fixture.change(json!({ "className": "c", "access": owner }));
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason, ready.observed_generation),
        (ConditionStatus::False, "NotAllowedByClass", Some(2))
    );
    assert_eq!(parts(&fixture), before);
}

#[tokio::test]
async fn a_profile_waits_for_its_class_and_what_runs_keeps_running() {
    let mut fixture =
        Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.class_is("False", 1);
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::False, "DependencyNotReady")
    );
    assert_eq!(
        ready.message,
        "PodIdentityClass c cannot be used: said of the class"
    );
    assert_eq!(fixture.writes(), ["write status \"DependencyNotReady\""]);

    fixture.class_is("True", 1);
    fixture.reconcile().await.expect("reconciled");
    assert!(is_ready(&fixture.profile()));

    fixture.class_is("False", 1);
    fixture.forget_calls();
    let action = fixture.reconcile().await.expect("reconciled");
    assert_eq!(action, Action::await_change(), "the class wakes it");
    assert_eq!(
        fixture.calls(),
        ["write status \"DependencyNotReady\""],
        "nothing is taken away"
    );
    fixture.delete();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(
        (fixture.identities().len(), fixture.roles()),
        (0, 0),
        "deletion waits for nobody"
    );
}

#[tokio::test]
async fn while_a_class_is_being_compared_its_profiles_stay_as_they_were() {
    let mut fixture = Fixture::with_profile(json!({ "className": "c" }));
    fixture.class_is("Unknown", 1);
    fixture.reconcile().await.expect("reconciled");
    let ready = find(&fixture, "Ready");
    assert_eq!(
        (ready.status, &*ready.reason),
        (ConditionStatus::Unknown, "Progressing")
    );
    assert!(
        ready.message.contains("PodIdentityClass c"),
        "{}",
        ready.message
    );

    fixture.class_is("True", 1);
    fixture.reconcile().await.expect("reconciled");
    fixture.class_is("True", 0);
    fixture.forget_calls();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(
        fixture.calls(),
        [""; 0],
        "of an edited class nothing is known yet"
    );
    assert!(is_ready(&fixture.profile()));
}

/// What `Ready`, `AssignmentReady` and `EnforcementReady` say.
fn three(fixture: &Fixture) -> [ConditionStatus; 3] {
    ["Ready", "AssignmentReady", "EnforcementReady"].map(|kind| find(fixture, kind).status)
}

#[tokio::test]
async fn a_suspended_profile_is_ready_as_long_as_its_pods_are_well() {
    use ConditionStatus::{False, True};
    let keeps = PodState::Refused([Breach::KeepsNetRaw("app".into())].into());
    for (state, enforcement, remedy) in [
        (refused_by_azure(), True, "grant the operator the right"),
        (keeps, False, "bound pods get no identity, because"),
    ] {
        for suspended_first in [true, false] {
            let fixture = Fixture::with_profile(named("a"));
            fixture.reconcile().await.expect("reconciled");
            let mut spec = named("a");
            spec["suspend"] = json!(true);
            if suspended_first {
                fixture.change(spec.clone());
            }
            fixture.bind(one_pod(&state));
            fixture.reconcile().await.expect("reconciled");
            assert_eq!(three(&fixture), [False, False, enforcement], "{state:?}");
            if !suspended_first {
                fixture.change(spec);
                fixture.reconcile().await.expect("reconciled");
                assert_eq!(three(&fixture), [False, False, enforcement], "{state:?}");
            }
            let ready = find(&fixture, "Ready");
            assert_eq!(ready.reason, "Suspended");
            assert!(ready.message.starts_with(remedy), "{}", ready.message);
            fixture.forget_calls();
            fixture.reconcile().await.expect("reconciled");
            assert_eq!(fixture.writes(), [""; 0], "{state:?}");

            fixture.bind(one_pod(&PodState::Assigned));
            fixture.reconcile().await.expect("reconciled");
            assert_eq!(three(&fixture), [True; 3], "{state:?} {suspended_first}");
            let observed = conditions(&fixture)
                .into_iter()
                .map(|c| c.observed_generation);
            assert!(observed.into_iter().all(|generation| generation == Some(2)));
        }
    }
}
