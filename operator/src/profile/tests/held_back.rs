//! Calls that do not leave, so that Azure's request limits are kept.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use podid_azure::{AzureError, Operation};
use podid_core::object_key::ObjectKey;
use podid_core::profile::queue::Urgency;
use podid_crds::podid::PodIdentityProfileStatus;
use serde_json::json;
use tokio::time::Instant;

use super::asks_for_a_role;
use super::fixture::Fixture;
use crate::profile::error::ReconcileError;
use crate::profile::in_turn::reconcile_in_turn;

const WAIT: Duration = Duration::from_secs(20);

fn held_back() -> AzureError {
    AzureError::NotSent {
        operation: Operation::PutRoleAssignment,
        resource: "/subscriptions/s".to_owned(),
        source: "too many".into(),
        retry_after: Some(WAIT),
        next_step: "wait".to_owned(),
    }
}

fn asking_for_a_role() -> Fixture {
    Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }))
}

fn status(fixture: &Fixture) -> PodIdentityProfileStatus {
    fixture.profile().status.expect("a status")
}

#[tokio::test]
async fn what_was_done_before_is_written_down_and_nothing_is_shown_as_failed() {
    let fixture = asking_for_a_role();
    fixture.refuse_roles(held_back);
    for _ in 0..5 {
        let ended = fixture.reconcile().await;
        let is_held_back =
            matches!(ended, Err(ReconcileError::HeldBack { after }) if after == WAIT);
        assert!(is_held_back, "{ended:?}");
    }
    let status = status(&fixture);
    assert!(status.identity.is_some(), "it was made");
    for condition in status.conditions.expect("conditions") {
        assert_ne!(condition.status, "False", "{condition:?}");
        assert!(!condition.message.contains("failed"), "{condition:?}");
    }
    let puts = fixture.calls();
    let puts = puts.iter().filter(|call| call.starts_with("put identity"));
    assert_eq!(puts.count(), 1);
    assert_eq!(fixture.context().retries.azure_wait("u"), None);
}

#[tokio::test]
async fn what_is_ready_stays_ready_while_a_look_is_held_back() {
    let fixture = asking_for_a_role();
    fixture.reconcile().await.expect("reconciled");
    let before = status(&fixture);
    fixture.revoke_by_hand();
    fixture.refuse_roles(held_back);
    fixture.forget_calls();
    fixture.reconcile().await.expect_err("held back");
    assert_eq!(status(&fixture), before);
    let writes = fixture.writes();
    let writes = writes.iter().filter(|call| call.starts_with("write"));
    assert_eq!(writes.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_comes_again_at_its_time_and_as_urgent_as_before() {
    let fixture = asking_for_a_role();
    fixture.refuse_roles(held_back);
    let queue = fixture.context().queue.clone();
    let mut startable = pin!(queue.startable());
    let turn = || reconcile_in_turn(Arc::new(fixture.profile()), Arc::clone(fixture.context()));
    turn().await.expect("it waits for its turn");
    for _ in 0..3 {
        startable.next().await.expect("no end");
        let key = ObjectKey::new("ns", "p");
        let urgency = fixture.context().queue.lock().running(&key);
        assert_eq!(urgency, Some(Urgency::Change));
        let held_back = Instant::now();
        turn().await.expect("no failure");
        startable.next().await.expect("no end");
        assert!(held_back.elapsed() >= WAIT, "{:?}", held_back.elapsed());
        turn().await.expect("no failure");
    }
    fixture.refuse_nothing();
    startable.next().await.expect("no end");
    turn().await.expect("done");
    assert_eq!(fixture.roles(), 1);
}

#[tokio::test]
async fn a_deletion_goes_on_later() {
    let fixture = asking_for_a_role();
    fixture.reconcile().await.expect("reconciled");
    let before = status(&fixture);
    fixture.delete();
    fixture.refuse_roles(held_back);
    let ended = fixture.reconcile().await;
    let is_held_back = matches!(ended, Err(ReconcileError::HeldBack { after }) if after == WAIT);
    assert!(is_held_back, "{ended:?}");
    assert_eq!(status(&fixture), before);
}
