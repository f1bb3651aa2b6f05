use serde_json::{Value, json};

use crate::profile::tests::fixture::Fixture;

fn revoking(limits: Value) -> Value {
    let mut all = json!({ "onNarrowing": "Revoke", "allowNetRaw": true });
    let limits = limits.as_object().expect("limits").clone();
    all.as_object_mut().expect("limits").extend(limits);
    all
}

#[tokio::test]
async fn roles_are_revoked_while_pods_keep_the_identity_and_come_back() {
    let mut fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.forget_calls();
    fixture.class_limits(revoking(json!({ "namespaces": { "names": ["*"] } })));
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.roles(), 0);
    let (reason, message) = fixture.ready();
    assert_eq!(reason, "NotAllowedByClass");
    assert!(message.contains("podid has revoked"), "{message}");
    let writes = fixture.writes();
    assert!(
        !writes
            .iter()
            .any(|call| call == "delete object" || call.starts_with("delete identity")),
        "{writes:?}"
    );
    fixture.forget_calls();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.writes(), [""; 0], "it is done once");

    let access = json!([{ "role": "Reader", "scopes": ["/subscriptions/s"] }]);
    fixture.class_limits(revoking(
        json!({ "namespaces": { "names": ["*"] }, "access": access }),
    ));
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(fixture.roles(), 1);
    assert_eq!(fixture.ready().0, "ReconciliationSucceeded");
}

#[tokio::test]
async fn a_profile_without_a_place_loses_its_pods_and_keeps_its_identity() {
    let mut fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.restart();
    fixture.forget_calls();
    fixture.class_limits(revoking(json!({})));
    fixture.reconcile().await.expect("reconciled");
    let deleted = |fixture: &Fixture| {
        let calls = fixture.calls();
        calls.iter().filter(|call| *call == "delete object").count()
    };
    assert_eq!(fixture.roles(), 0, "they wait for no VM or scale set");
    assert_eq!(deleted(&fixture), 1, "the binding alone");
    assert_eq!(fixture.ready().0, "Progressing");
    fixture.pods_are_known();
    fixture.reconcile().await.expect("reconciled");
    assert_eq!(deleted(&fixture), 2);
    let (reason, message) = fixture.ready();
    assert_eq!(reason, "NotAllowedByClass");
    assert!(message.contains("stays in Azure"), "{message}");
    assert_eq!(fixture.identities().len(), 1);
}
