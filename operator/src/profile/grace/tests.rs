use std::time::Duration;

use kube::runtime::controller::Action;
use podid_core::profile::pods::{BoundPods, PodState};
use serde_json::{Value, json};

use super::wait;
use crate::profile::tests::fixture::Fixture;

fn with_grace(grace: &str) -> Value {
    let access = json!([{ "role": "Reader", "scope": "/subscriptions/s" }]);
    json!({ "className": "c", "access": access, "deletionGracePeriod": grace })
}

fn one_pod() -> BoundPods {
    let mut pods = BoundPods::default();
    pods.add("web", &PodState::Assigned, &Default::default());
    pods
}

/// A profile with a pod that has its identity.
async fn serving(spec: Value) -> Fixture {
    let fixture = Fixture::with_profile(spec);
    fixture.bind(one_pod());
    fixture.reconcile().await.expect("reconciled");
    fixture.forget_calls();
    fixture
}

/// Writes beside those of the status.
fn writes(fixture: &Fixture) -> Vec<String> {
    let mut writes = fixture.writes();
    writes.retain(|call| !call.starts_with("write status"));
    writes
}

fn is_left(fixture: &Fixture) -> bool {
    !fixture.identities().is_empty() && fixture.roles() == 1
}

#[tokio::test]
async fn pods_keep_the_identity_until_they_have_ended() {
    let fixture = serving(with_grace("1h")).await;
    fixture.delete_now();
    let action = fixture.reconcile().await.expect("waits");
    assert_ne!(
        action,
        Action::await_change(),
        "it is looked at when the grace is over"
    );
    assert_eq!(writes(&fixture), [""; 0]);
    let said = fixture.ready().1;
    assert!(said.contains("its pods keep the identity until"), "{said}");
    fixture.forget_calls();
    fixture.reconcile().await.expect("waits");
    assert_eq!(fixture.writes(), [""; 0], "it is said once");
    fixture.bind(BoundPods::default());
    fixture.reconcile().await.expect("deleted");
    assert!(!is_left(&fixture));
}

#[tokio::test]
async fn pods_that_stay_lose_the_identity_when_the_grace_is_over() {
    let fixture = serving(with_grace("1h")).await;
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert!(!is_left(&fixture));
}

#[tokio::test]
async fn a_deletion_waits_no_longer_than_is_left_of_the_grace() {
    let fixture = serving(with_grace("1h")).await;
    fixture.delete_now();
    let (left, until) = wait(&fixture.profile(), fixture.context()).expect("a pod is served");
    assert!(left <= Duration::from_secs(3600), "{left:?}");
    let deleted = fixture
        .profile()
        .metadata
        .deletion_timestamp
        .expect("deleted")
        .0;
    assert_eq!(until.duration_since(deleted).as_secs(), 3600);
}

#[tokio::test]
async fn without_a_grace_the_identity_is_taken_at_once() {
    let fixture = serving(with_grace("0s")).await;
    fixture.delete_now();
    fixture.reconcile().await.expect("deleted");
    assert!(!is_left(&fixture));
}

#[tokio::test]
async fn after_a_restart_pods_are_served_before_they_are_known() {
    let mut fixture = serving(with_grace("1h")).await;
    fixture.delete_now();
    fixture.restart();
    fixture.reconcile().await.expect("waits");
    assert_eq!(writes(&fixture), [""; 0]);
    fixture.pods_are_known();
    fixture.reconcile().await.expect("deleted");
    assert!(!is_left(&fixture), "there is none");
}

#[tokio::test]
async fn what_a_class_takes_away_is_not_served_for_a_grace() {
    let mut fixture = serving(with_grace("1h")).await;
    fixture.class_limits(json!({ "onNarrowing": "Revoke" }));
    fixture.delete_now();
    fixture.reconcile().await.expect("deleted");
    assert!(!is_left(&fixture));
}
