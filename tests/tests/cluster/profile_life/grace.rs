//! Pods of a profile that is deleted keep its identity until they have ended or the grace is over.

use podid_crds::podid::PodIdentityProfile;
use serde_json::json;

use super::scene::{READS_SECRETS, Scene, access, says, status, vault};
use crate::fixture::eventually;
use crate::stage::VM_NODES;

/// A profile with this grace, and the resource id of its identity, which a pod has.
async fn serving(scene: &Scene, grace: &str) -> String {
    let rights = json!([access(READS_SECRETS, &vault())]);
    let spec = json!({ "access": rights, "deletionGracePeriod": grace });
    let profile = scene.ready("cart", spec).await;
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.until_assigned(&["web Assigned"]).await;
    status(&profile).identity.expect("an identity").resource_id
}

/// Nothing is left of the profile, in Azure and in the cluster.
async fn is_undone(scene: &Scene, identity: &str) {
    assert!(scene.azure_identity(identity).await.is_none());
    assert!(matches!(scene.children("cart").await, (None, None)));
    let name = identity.rsplit('/').next().expect("a name").to_owned();
    for node in VM_NODES {
        assert!(!scene.stage.carried(node).await.contains(&name), "{node}");
    }
}

#[tokio::test]
async fn a_pod_is_served_until_it_has_ended_and_then_all_goes() {
    let scene = Scene::open("served").await;
    let identity = serving(&scene, "1h").await;
    let profiles = scene.api::<PodIdentityProfile>();
    profiles.delete("cart", &Default::default()).await.unwrap();
    let said = eventually("the status says until when pods are served", async || {
        let profile = profiles.get("cart").await.unwrap();
        let (reason, message) = says(&profile, "Ready");
        message
            .contains("its pods keep the identity until")
            .then_some((reason, profile))
    });
    let (reason, profile) = said.await;
    assert_eq!(reason, "Progressing");
    assert_eq!(says(&profile, "Reconciling").1, says(&profile, "Ready").1);

    // One that comes now is served as well, and prolongs nothing.
    scene.pod("late", "cart", VM_NODES[1]).await;
    scene
        .until_assigned(&["late Assigned", "web Assigned"])
        .await;
    scene.delete_pod("web").await;
    scene.until_assigned(&["late Assigned"]).await;
    assert!(scene.azure_identity(&identity).await.is_some());
    assert!(
        scene.children("cart").await.1.is_some(),
        "it is bound still"
    );

    scene.delete_pod("late").await;
    scene.until_gone("cart").await;
    is_undone(&scene, &identity).await;
}

#[tokio::test]
async fn a_pod_that_stays_loses_the_identity_when_the_grace_is_over() {
    let scene = Scene::open("overstays").await;
    let identity = serving(&scene, "3s").await;
    scene.delete("cart").await;
    scene.until_assigned(&[]).await;
    is_undone(&scene, &identity).await;
    let events = scene.events("cart").await;
    let is_said = |event: &String| event.contains("its pods keep the identity until");
    assert!(
        events.iter().any(is_said),
        "it was served meanwhile: {events:?}"
    );
    scene.delete_pod("web").await;
}

#[tokio::test]
async fn a_profile_that_serves_nobody_is_deleted_at_once() {
    let scene = Scene::open("unserved").await;
    let profile = scene
        .ready("cart", json!({ "deletionGracePeriod": "1h" }))
        .await;
    let identity = status(&profile).identity.expect("an identity").resource_id;
    scene.delete("cart").await;
    is_undone(&scene, &identity).await;
}
