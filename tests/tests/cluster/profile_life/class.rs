//! A class is ready when Azure has confirmed it, and its profiles wait until then.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, conditions, group, says, status, vault};
use crate::fixture::eventually;

/// The class's `Ready` once it says for the class as it is written now what `status` is.
async fn class_ready(scene: &Scene, status: &str) -> Condition {
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    eventually(&format!("Ready={status} of the class"), async || {
        let class = classes.get(&scene.namespace).await.unwrap();
        let conditions = class.status.unwrap_or_default().conditions;
        let current = class.metadata.generation;
        conditions
            .into_iter()
            .flatten()
            .find(|c| c.type_ == "Ready" && c.status == status && c.observed_generation == current)
    })
    .await
}

#[tokio::test]
async fn a_class_that_azure_does_not_confirm_is_not_ready_and_its_profiles_wait() {
    let scene = Scene::without_class("class").await;
    scene.profile("cart", json!({})).await;
    let role = |name: &str| {
        let scopes = [group(podid_lab::layout::RESOURCE_GROUP)];
        json!({ "limits": { "access": [{ "role": name, "scopes": scopes }] } })
    };
    let other = "99999999-0000-4000-8000-000000000001";
    for (changes, field, value) in [
        (
            json!({ "subscriptionId": other }),
            "spec.subscriptionId",
            other,
        ),
        (
            json!({ "resourceGroup": "nowhere" }),
            "spec.resourceGroup",
            "nowhere",
        ),
        (
            json!({ "nodeResourceGroup": "nowhere" }),
            "spec.nodeResourceGroup",
            "nowhere",
        ),
        (
            json!({ "location": "nowhere1" }),
            "spec.location",
            "nowhere1",
        ),
        (role("Time Lord"), "spec.limits.access[0].role", "Time Lord"),
    ] {
        scene.class(changes).await;
        let ready = class_ready(&scene, "False").await;
        assert!(
            ready.message.starts_with(&format!("{field}: {value:?}")),
            "{}",
            ready.message
        );
        eventually("the profile to say the same", async || {
            let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
            let (reason, message) = says(&profile, "Ready");
            (reason == "DependencyNotReady" && message.contains(&ready.message)).then_some(())
        })
        .await;
    }
    scene.class(json!({})).await;
    class_ready(&scene, "True").await;
    scene.until("cart", "Ready", "True").await;

    // What runs keeps running.
    let identity = status(&scene.until("cart", "IdentityReady", "True").await).identity;
    scene.class(json!({ "location": "nowhere1" })).await;
    let profile = scene.until("cart", "Ready", "False").await;
    assert_eq!(status(&profile).identity, identity);
    let id = identity.expect("an identity").resource_id;
    assert!(scene.azure_identity(&id).await.is_some());
    assert!(scene.children("cart").await.1.is_some(), "pods stay bound");
    scene.delete("cart").await;
    assert!(scene.azure_identity(&id).await.is_none());
}

#[tokio::test]
async fn an_edit_that_the_class_refuses_leaves_the_parts_as_they_were() {
    let scene = Scene::open("refused").await;
    let parts = |profile: &PodIdentityProfile| -> Vec<Value> {
        let mut all = conditions(profile);
        all.retain(|c| !["Ready", "Reconciling", "Stalled"].contains(&&*c.type_));
        let all = all.iter().map(|c| serde_json::to_value(c).unwrap());
        all.collect()
    };
    let mut spec = json!({ "access": [access(READS_SECRETS, &vault())] });
    scene.ready("cart", spec.clone()).await;
    // Pods are looked at apart from the profile's other parts, and so may be said later.
    let before = parts(&scene.until("cart", "AssignmentReady", "True").await);
    // The API server refuses what an edit asks anew, and leaves to the operator what was there.
    scene.class(json!({ "limits": { "access": [] } })).await;
    spec["identity"] = json!({ "tags": { "team": "shop" } });
    scene.profile("cart", spec).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    assert_eq!(says(&profile, "Ready").0, "NotAllowedByClass");
    assert_eq!(parts(&profile), before);
    scene.delete("cart").await;
}
