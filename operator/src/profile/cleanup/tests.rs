use serde_json::json;

use crate::profile::tests::fixture::Fixture;

#[tokio::test]
async fn an_identity_is_deleted_only_when_it_is_known_to_be_on_no_vm_or_scale_set() {
    let mut fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.restart();
    fixture.delete();
    let error = fixture.reconcile().await.expect_err("not known yet");
    assert!(
        error.failure().is_some_and(|failure| failure.is_wait()),
        "{error:?}"
    );
    assert_eq!((fixture.identities().len(), fixture.roles()), (1, 1));
    let (reason, message) = fixture.ready();
    assert_eq!(reason, "Progressing");
    assert!(
        message.starts_with("the profile is being deleted: identity "),
        "{message}"
    );
    assert!(
        fixture
            .profile()
            .status
            .and_then(|status| status.identity)
            .is_some(),
        "what is still to be deleted stays remembered"
    );

    fixture.pods_are_known();
    fixture.reconcile().await.expect("deleted");
    assert_eq!((fixture.identities().len(), fixture.roles()), (0, 0));
}

#[tokio::test]
async fn the_way_back_takes_pods_their_identity_first_and_then_roles_and_identity() {
    let fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.delete();
    fixture.forget_calls();
    fixture.reconcile().await.expect("deleted");
    let calls = fixture.calls();
    let at = |call: &str| {
        let at = calls.iter().position(|entry| entry.starts_with(call));
        at.unwrap_or_else(|| panic!("{call} in {calls:?}"))
    };
    assert!(at("delete object") < at("delete role"), "{calls:?}");
    assert!(at("delete role") < at("delete identity"), "{calls:?}");
}

#[tokio::test]
async fn pods_lose_the_identity_also_while_azure_shows_nothing() {
    let fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.refuse_reads();
    fixture.delete();
    fixture.forget_calls();
    fixture.reconcile().await.expect_err("Azure is down");
    let calls = fixture.calls();
    let deleted = calls.iter().filter(|call| *call == "delete object");
    assert_eq!(deleted.count(), 1, "the binding alone: {calls:?}");
    assert_eq!((fixture.identities().len(), fixture.roles()), (1, 1));
}

#[tokio::test]
async fn without_its_class_a_profile_is_deleted_by_its_record() {
    let mut fixture = Fixture::with_role();
    fixture.reconcile().await.expect("reconciled");
    fixture.class_is_gone();
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert_eq!((fixture.identities().len(), fixture.roles()), (0, 0));
}

#[tokio::test]
async fn what_is_to_be_retained_stays() {
    let fixture = Fixture::with_profile(json!({
        "className": "c", "identity": { "name": "a", "deletionPolicy": "Retain" },
    }));
    fixture.reconcile().await.expect("reconciled");
    fixture.delete();
    fixture.reconcile().await.expect("deleted");
    assert_eq!(fixture.identities(), ["a"]);
}

#[tokio::test]
async fn an_azure_identity_stays_until_nothing_has_the_identity_whatever_the_policy() {
    let mut fixture = Fixture::with_profile(json!({
        "className": "c", "identity": { "name": "a", "deletionPolicy": "Retain" },
    }));
    fixture.reconcile().await.expect("reconciled");
    fixture.restart();
    fixture.delete();
    let deleted = |fixture: &Fixture| {
        let calls = fixture.calls();
        calls.iter().filter(|call| *call == "delete object").count()
    };
    let error = fixture.reconcile().await.expect_err("not known yet");
    assert!(
        error.failure().is_some_and(|failure| failure.is_wait()),
        "{error:?}"
    );
    assert_eq!(deleted(&fixture), 1, "the binding alone");
    fixture.pods_are_known();
    fixture.reconcile().await.expect("deleted");
    assert!(deleted(&fixture) > 1);
    assert_eq!(fixture.identities(), ["a"]);
}
