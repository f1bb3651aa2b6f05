//! When something between the operator and Azure answers in Azure's place.

use kube::api::DeleteParams;
use podid_crds::podid::PodIdentityProfile;
use serde_json::json;

use super::scene::{READS_SECRETS, Scene, access, says, status, vault};
use crate::fixture::eventually;

#[tokio::test]
async fn a_proxys_404_does_not_let_go_of_what_is_still_in_azure() {
    let scene = Scene::open("proxy").await;
    let spec = json!({ "access": [access(READS_SECRETS, &vault())] });
    let profile = scene.ready("cart", spec).await;
    let identity = status(&profile).identity.expect("an identity");

    let effect = json!({ "kind": "respond", "status": 404, "body": "<html>404 Not Found</html>" });
    for operation in ["arm.identity.*", "arm.roleassignment.*"] {
        scene
            .stage
            .fault(json!({ "operation": operation, "effect": effect }))
            .await;
    }
    let profiles = scene.api::<PodIdentityProfile>();
    profiles
        .delete("cart", &DeleteParams::default())
        .await
        .unwrap();
    let held = eventually("a try at the deletion", async || {
        let calls = scene.calls().await;
        let tries = calls.iter().filter(|call| call.ends_with(" 404")).count();
        let profile = profiles.get_opt("cart").await.unwrap();
        let profile = profile.expect("the finalizer holds it while Azure has not answered");
        let (_, message) = says(&profile, "Ready");
        (tries >= 3 && message.starts_with("the profile is being deleted: ")).then_some(profile)
    })
    .await;
    let (reason, message) = says(&held, "Ready");
    assert_eq!(reason, "ProgressingWithRetry");
    assert!(message.contains("404 Not Found"), "{message}");
    assert!(message.contains("no proxy answers"), "{message}");
    assert!(held.metadata.finalizers.is_some_and(|all| !all.is_empty()));
    assert!(scene.azure_identity(&identity.resource_id).await.is_some());
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);

    scene.stage.heal().await;
    eventually("cart gone", async || {
        let profile = profiles.get_opt("cart").await.unwrap();
        profile.is_none().then_some(())
    })
    .await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
    assert!(scene.rights(&identity.principal_id).await.is_empty());
}
