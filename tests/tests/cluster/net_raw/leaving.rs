//! A profile that is being deleted, and waits for somebody: podid still has its identity to take back.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::{keeps, pod};
use crate::fixture::{Space, eventually};

#[tokio::test]
async fn a_profile_that_is_being_deleted_holds_its_pods_to_the_rule_until_it_is_gone() {
    let space = Space::new("net-raw-leaving").await;
    let profile = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "shop", "finalizers": ["example.com/waits"]},
        "spec": {"className": "standard"},
    });
    space
        .create("PodIdentityProfile", profile, false)
        .await
        .unwrap();
    let profiles = space.api("PodIdentityProfile");
    let deleting = profiles.delete("shop", &DeleteParams::default()).await;
    let deleting = deleting.unwrap().left().expect("it waits");
    assert!(deleting.metadata.deletion_timestamp.is_some());
    space.policies_know().await;
    let message = space
        .admits(pod("p", "shop", &keeps()))
        .await
        .expect_err("still bound");
    assert!(message.contains("profile shop"), "{message}");

    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    profiles
        .patch("shop", &PatchParams::default(), &free)
        .await
        .unwrap();
    let admitted = async || space.admits(pod("p", "shop", &keeps())).await.ok();
    eventually("the policy forgetting the profile", admitted).await;
}
