//! What Azure refuses until a person acts is told apart from what a pause may mend.

use kube::runtime::controller::Action;
use podid_azure::{AzureError, Operation, Reply};
use serde_json::json;

use super::fixture::Fixture;
use super::{asks_for_a_role, conditions, is_ready};

const SCOPE: &str = "/subscriptions/s/resourceGroups/apps";

/// Status and code of a refusal, and the reason that `Ready` then has: its own code where a person must act.
const REFUSALS: [(u16, &str, &str); 7] = [
    (409, "ScopeLocked", "ScopeLocked"),
    (
        403,
        "RequestDisallowedByPolicy",
        "RequestDisallowedByPolicy",
    ),
    (
        400,
        "RoleAssignmentLimitExceeded",
        "RoleAssignmentLimitExceeded",
    ),
    (403, "AuthorizationFailed", "ProgressingWithRetry"),
    (403, "", "ProgressingWithRetry"),
    (409, "Conflict", "ProgressingWithRetry"),
    (500, "InternalServerError", "ProgressingWithRetry"),
];

fn profile() -> Fixture {
    Fixture::with_profile(json!({
        "className": "c", "identity": { "name": "web" }, "access": asks_for_a_role(),
    }))
}

/// Calls that write to Azure.
fn writes(fixture: &Fixture) -> Vec<String> {
    let mut calls = fixture.calls();
    calls.retain(|call| call.starts_with("put"));
    calls
}

fn reason_of(fixture: &Fixture, kind: &str) -> Option<String> {
    conditions(&fixture.profile(), kind).map(|(_, reason, _)| reason)
}

/// The profile says so, a look costs the one call that is refused, and once it is not, one look mends all.
async fn is_said_and_mended(fixture: &Fixture, part: &str, code: &str, reason: &str, call: &str) {
    let action = fixture.reconcile().await.expect("tried");
    assert_ne!(action, Action::await_change(), "{code}: looked at again");
    assert_eq!(
        reason_of(fixture, "Ready").as_deref(),
        Some(reason),
        "{code}"
    );
    let stalled = reason_of(fixture, "Stalled");
    assert_eq!(stalled.is_some(), reason == code, "{code}: {stalled:?}");
    let (status, _, message) = conditions(&fixture.profile(), part).expect(part);
    assert_eq!(status, "False", "{code}");
    assert!(message.contains("failed: "), "{code}: {message}");

    fixture.forget_calls();
    fixture.reconcile().await.expect("tried");
    assert_eq!(writes(fixture), [call], "{code}");
    assert_eq!(fixture.writes(), [call], "{code}: nothing is said twice");

    fixture.refuse_nothing();
    fixture.reconcile().await.expect("reconciled");
    assert!(is_ready(&fixture.profile()), "{code}");
}

#[tokio::test]
async fn a_refused_right_stalls_only_where_a_person_must_act() {
    for (status, code, reason) in REFUSALS {
        let fixture = profile();
        fixture.refuse_roles(move || {
            let reply = Reply::new(status, code, "no");
            AzureError::refused(Operation::PutRoleAssignment, SCOPE, reply)
        });
        let call = format!("put role on {SCOPE}");
        is_said_and_mended(&fixture, "AccessReady", code, reason, &call).await;
    }
}

#[tokio::test]
async fn a_refused_identity_stalls_only_where_a_person_must_act() {
    for (status, code, reason) in REFUSALS {
        let fixture = profile();
        fixture.refuse_identities(move || {
            let reply = Reply::new(status, code, "no");
            AzureError::refused(Operation::PutIdentity, "/x", reply)
        });
        is_said_and_mended(&fixture, "IdentityReady", code, reason, "put identity web").await;
    }
}
