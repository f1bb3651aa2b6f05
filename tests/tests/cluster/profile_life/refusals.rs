//! What Azure refuses until a person acts: a policy, a lock, a subscription that is full.

use podid_crds::podid::PodIdentityProfile;
use serde_json::{Value, json};

use super::class::class_ready;
use super::scene::{Scene, reads_secrets, says, status};
use crate::fixture::eventually;

/// Azure's refusal.
fn refuses(status: u16, code: &str) -> Value {
    let body = json!({ "error": { "code": code, "message": "Azure's own words." } });
    json!({ "kind": "respond", "status": status, "body": body })
}

/// A class that is known: a profile is looked at again when its class becomes so.
async fn with_known_class(purpose: &str) -> Scene {
    let scene = Scene::open(purpose).await;
    class_ready(&scene, "True").await;
    scene
}

/// How many calls were answered so.
async fn count(scene: &Scene, call: &str) -> usize {
    let calls = scene.calls().await;
    calls.iter().filter(|one| *one == call).count()
}

/// The profile is stalled by this refusal of this call, which is repeated when a person requests it and not before.
async fn is_stalled(scene: &Scene, part: &str, code: &str, remedy: &str, call: &str) {
    let profile = scene.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&profile, "Ready");
    assert_eq!(reason, code);
    assert!(
        message.contains(&format!("failed: {remedy}. ")) && message.ends_with("Azure's own words."),
        "{message}"
    );
    assert_eq!(says(&profile, part), (reason, message.clone()));
    let event = scene.until_event("cart", code).await;
    assert!(event.contains(remedy), "{event}");
    assert_eq!(count(scene, call).await, 1);

    let written = profile.metadata.resource_version;
    let profile = scene.poke("cart", "look").await;
    assert_eq!(count(scene, call).await, 2, "a request is followed");
    assert_eq!(says(&profile, "Stalled"), (code.to_owned(), message));
    assert_ne!(profile.metadata.resource_version, written, "it is answered");
}

#[tokio::test]
async fn an_azure_policy_stalls_a_profile_until_it_is_lifted() {
    let scene = with_known_class("policy").await;
    let effect = refuses(403, "RequestDisallowedByPolicy");
    let fault = json!({ "operation": "arm.identity.put", "effect": effect });
    scene.stage.fault(fault).await;
    scene.profile("cart", json!({})).await;
    let remedy = "ask the owner of the Azure Policy that Azure's answer names for an exemption";
    let (part, code) = ("IdentityReady", "RequestDisallowedByPolicy");
    is_stalled(&scene, part, code, remedy, "identity.put 403").await;
    scene.stage.heal().await;
    scene.poke("cart", "exempted").await;
    scene.until("cart", "Ready", "True").await;
    assert_eq!(count(&scene, "identity.put 201").await, 1);
    scene.delete("cart").await;
}

#[tokio::test]
async fn a_full_subscription_stalls_a_profile_until_there_is_room() {
    let scene = with_known_class("full").await;
    let effect = refuses(400, "RoleAssignmentLimitExceeded");
    let fault = json!({ "operation": "arm.roleassignment.put", "effect": effect });
    scene.stage.fault(fault).await;
    scene.profile("cart", reads_secrets()).await;
    let remedy = "remove role assignments that are no longer used";
    let (part, code) = ("AccessReady", "RoleAssignmentLimitExceeded");
    is_stalled(&scene, part, code, remedy, "roleassignment.put 400").await;
    scene.stage.heal().await;
    scene.poke("cart", "room").await;
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

/// Nobody can edit a profile that is being deleted, so its deletion is tried until the lock is gone.
#[tokio::test]
async fn a_lock_stalls_a_profile_and_only_delays_its_deletion() {
    let scene = with_known_class("lock").await;
    let lock = async |operation: &str| {
        let fault = json!({ "operation": operation, "effect": refuses(409, "ScopeLocked") });
        scene.stage.fault(fault).await;
    };
    lock("arm.roleassignment.put").await;
    scene.profile("cart", reads_secrets()).await;
    let remedy = "remove the lock, or exempt this resource from it";
    let put = "roleassignment.put 409";
    is_stalled(&scene, "AccessReady", "ScopeLocked", remedy, put).await;
    scene.stage.heal().await;
    scene.poke("cart", "unlocked").await;
    let profile = scene.until("cart", "Ready", "True").await;
    let identity = status(&profile).identity.expect("an identity");

    scene.stage.heal().await;
    lock("arm.identity.delete").await;
    scene.delete_object::<PodIdentityProfile>("cart").await;
    let held = eventually("word of the lock", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let (_, message) = says(&profile, "Ready");
        message
            .starts_with("the profile is being deleted: ")
            .then_some(profile)
    })
    .await;
    let (reason, message) = says(&held, "Ready");
    assert_eq!(reason, "ProgressingWithRetry");
    assert!(message.contains(remedy), "{message}");
    assert!(scene.azure_identity(&identity.resource_id).await.is_some());
    scene.stage.heal().await;
    scene.until_gone("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
}
