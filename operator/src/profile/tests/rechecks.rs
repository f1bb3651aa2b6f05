//! What is ready is compared with what is listed for all profiles.

use std::time::Duration;

use kube::runtime::controller::Action;
use podid_azure::{AzureError, Operation, Reply};
use podid_core::net_raw::Breach;
use podid_core::profile::pods::{BoundPods, PodState};
use serde_json::json;

use super::asks_for_a_role;
use super::fixture::Fixture;

async fn ready() -> Fixture {
    let fixture = Fixture::with_profile(json!({
        "className": "c", "identity": { "name": "web" }, "access": asks_for_a_role(),
    }));
    fixture.reconcile().await.expect("reconciled");
    fixture.forget_calls();
    fixture
}

#[tokio::test]
async fn what_is_as_it_should_be_costs_one_call_a_list() {
    let fixture = ready().await;
    for _ in 0..100 {
        let action = fixture.recheck().await.expect("as it should be");
        assert_ne!(action, Action::await_change(), "again at its interval");
    }
    let group = "/subscriptions/s/resourceGroups";
    let (identities, roles) = (
        format!("read identities of {group}/ids"),
        format!("read all roles on {group}/apps"),
    );
    assert_eq!(fixture.calls(), [identities, roles]);
}

#[tokio::test]
async fn whatever_differs_is_read_by_itself() {
    type Change = fn(&Fixture);
    let changes: [(&str, Change); 9] = [
        ("identity", |fixture| fixture.delete_identity_by_hand("web")),
        ("tags", |fixture| fixture.make_anew_by_hand("web")),
        ("role", Fixture::revoke_by_hand),
        ("AzureIdentity", |fixture| {
            fixture.delete_child("azureidentities")
        }),
        ("binding", |fixture| {
            fixture.delete_child("azureidentitybindings")
        }),
        ("spec", |fixture| {
            fixture.change(json!({ "className": "c" }))
        }),
        ("deletion", Fixture::delete),
        ("no list", Fixture::refuse_lists),
        ("pods", |fixture| {
            let mut pods = BoundPods::default();
            let keeps = [Breach::KeepsNetRaw("app".into())];
            pods.add("a", &PodState::Refused(keeps.into()), &Default::default());
            fixture.bind(pods);
        }),
    ];
    for (what, change) in changes {
        let fixture = ready().await;
        change(&fixture);
        assert_eq!(fixture.recheck().await, None, "{what}");
        assert_eq!(fixture.writes(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn what_azure_asked_to_be_left_alone_is_left_alone() {
    let fixture = Fixture::with_profile(json!({ "className": "c", "access": asks_for_a_role() }));
    fixture.refuse_roles(|| {
        let reply = Reply {
            retry_after: Some(Duration::from_secs(60)),
            ..Reply::new(429, "TooManyRequests", "no")
        };
        AzureError::refused(Operation::PutRoleAssignment, "/x", reply)
    });
    fixture.reconcile().await.expect("tried");
    fixture.forget_calls();
    assert_eq!(fixture.recheck().await, None);
    assert_eq!(fixture.calls(), [""; 0]);
}

#[tokio::test]
async fn a_short_interval_is_not_kept_by_old_lists() {
    let spec = json!({ "className": "c", "interval": "30s" });
    let fixture = Fixture::with_profile(spec);
    fixture.reconcile().await.expect("reconciled");
    fixture.forget_calls();
    assert_eq!(fixture.recheck().await, None);
    assert_eq!(fixture.calls(), [""; 0]);
}
