//! A profile that exists is held to what it asks anew: its class may have come to allow less.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::class;
use crate::fixture::{Space, eventually, refusal};

const SCOPE: &str = "/subscriptions/s/resourceGroups/apps";

fn lists(namespace: &str, roles: &[&str]) -> Value {
    let access: Vec<Value> = roles
        .iter()
        .map(|role| json!({"role": role, "scopes": [SCOPE]}))
        .collect();
    json!({"namespaces": {"names": [namespace]}, "access": access, "allowNetRaw": roles.len() > 1})
}

async fn patch(space: &Space, change: &Value, dry_run: bool) -> Result<(), String> {
    let parameters = PatchParams {
        dry_run,
        ..PatchParams::default()
    };
    let answer = space
        .api("PodIdentityProfile")
        .patch("cart", &parameters, &Patch::Merge(change))
        .await;
    answer.map(|_| ()).map_err(|error| refusal(error).message)
}

/// A profile with two roles and `netRaw: Audit`, of a class that has come to list one of the roles only.
async fn narrowed() -> (Space, String) {
    let space = Space::new("limits-update").await;
    let wide = class(lists(&space.name, &["Reader", "AcrPull"]), json!({}));
    let name = space.class("standard", wide).await;
    space.policy_knows_the_classes().await;
    let profile = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "cart"},
        "spec": {
            "className": name, "netRaw": "Audit",
            "access": [{"role": "Reader", "scope": SCOPE}, {"role": "AcrPull", "scope": SCOPE}],
        },
    });
    space
        .create("PodIdentityProfile", profile, false)
        .await
        .unwrap();
    let narrow = json!({"spec": {"limits": lists(&space.name, &["Reader"])}});
    space
        .api("PodIdentityClass")
        .patch(&name, &PatchParams::default(), &Patch::Merge(&narrow))
        .await
        .unwrap();
    let asks = json!({"access": [{"role": "AcrPull", "scope": SCOPE}]});
    let refused = async || space.asks(&name, asks.clone()).await.err();
    eventually("the policy knowing the narrower class", refused).await;
    (space, name)
}

#[tokio::test]
async fn what_was_there_is_left_to_the_operator() {
    let (space, class) = narrowed().await;
    for change in [
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "x"}}}),
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"access": [{"role": "AcrPull", "scope": SCOPE}]}}),
        json!({"spec": {"access": [{"role": "Reader", "scope": SCOPE}], "netRaw": "Enforce"}}),
        json!({"spec": {"identity": {"tags": {"team": "shop"}}}}),
        json!({"spec": {"className": "elsewhere"}}),
    ] {
        patch(&space, &change, true)
            .await
            .unwrap_or_else(|message| panic!("{change}: {message}"));
    }
    space.remove_class(&class).await;
}

#[tokio::test]
async fn what_is_asked_anew_is_held_to_the_class() {
    let (space, class) = narrowed().await;
    let access = |more: Value| {
        json!({"spec": {"access": [
            {"role": "Reader", "scope": SCOPE}, {"role": "AcrPull", "scope": SCOPE}, more,
        ]}})
    };
    let id = "/subscriptions/s/resourceGroups/theirs/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";
    for (change, field) in [
        (
            access(json!({"role": "AcrPush", "scope": SCOPE})),
            "spec.access[2].role",
        ),
        (
            access(json!({"role": "Reader", "scope": "/subscriptions/s"})),
            "spec.access[2].scope",
        ),
        (json!({"spec": {"netRaw": "Ignore"}}), "spec.netRaw"),
        (
            json!({"spec": {"identity": {"resourceId": id}}}),
            "spec.identity.resourceId",
        ),
        (
            json!({"spec": {"identity": {"tags": {"Podid-uid": "x"}}}}),
            "spec.identity.tags",
        ),
    ] {
        let message = patch(&space, &change, true).await.expect_err(field);
        let only = message.matches("spec.").count() == 1;
        assert!(message.contains(&format!("{field}: ")) && only, "{message}");
    }
    // Under another class, all of it is asked anew.
    let other = json!({"spec": {"className": "elsewhere"}});
    patch(&space, &other, false).await.unwrap();
    let back = json!({"spec": {"className": class}});
    let message = patch(&space, &back, true).await.expect_err("AcrPull");
    for field in ["spec.access[1].role: ", "spec.netRaw: "] {
        assert!(message.contains(field), "{message}");
    }
    space.remove_class(&class).await;
}
