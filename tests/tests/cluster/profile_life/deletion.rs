//! Deletions under trouble: Azure fails meanwhile, or the namespace goes as well.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams};
use podid_crds::aadpodidentity::AzureIdentityBinding;
use podid_crds::podid::PodIdentityProfile;
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{Scene, reads_secrets, says, status};
use crate::fixture::eventually;
use crate::stage::VM_NODES;

/// How often one call is sent, while nobody answers it, before its error counts.
const SENT: usize = 4;
/// Looks at a profile beyond those that its pauses give: its own objects go meanwhile.
const OTHER_LOOKS: u32 = 3;

fn fails() -> Value {
    let body = json!({ "error": { "code": "InternalServerError", "message": "Later." } });
    json!({ "kind": "respond", "status": 500, "body": body })
}

/// Times of the calls that were not answered as they should be.
async fn failed(scene: &Scene, operation: &str) -> Vec<Timestamp> {
    let path = format!("/calls?operation={operation}");
    let log = scene.stage.admin(Method::GET, &path, None).await;
    let calls = log["calls"].as_array().expect("calls").iter();
    // The status of a call whose connection was closed is 0.
    let failed = calls.filter(|call| !(1..500).contains(&call["status"].as_u64().expect("one")));
    failed
        .map(|call| call["time"].as_str().expect("a time"))
        .map(|time| time.parse().expect("a time"))
        .collect()
}

/// The profile once its status says that its deletion failed.
async fn held(scene: &Scene) -> PodIdentityProfile {
    eventually("word of the deletion", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let (reason, message) = says(&profile, "Ready");
        let is_it = reason == "ProgressingWithRetry"
            && message.starts_with("the profile is being deleted: ");
        is_it.then_some(profile)
    })
    .await
}

async fn delete_namespace(scene: &Scene) {
    let namespaces: Api<Namespace> = Api::all(scene.stage.client.clone());
    let as_usual = DeleteParams::default();
    let asked = namespaces.delete(&scene.namespace, &as_usual).await;
    asked.unwrap();
}

async fn until_namespace_gone(scene: &Scene) {
    let namespaces: Api<Namespace> = Api::all(scene.stage.client.clone());
    eventually("the namespace gone", async || {
        let found = namespaces.get_opt(&scene.namespace).await.unwrap();
        found.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_forgotten_while_azure_fails_and_all_goes_after_it() {
    // Of all of Azure, and of the last step only.
    for (operations, watched, effect) in [
        (
            &["arm.identity.*", "arm.roleassignment.*"][..],
            "arm.*",
            fails(),
        ),
        (
            &["arm.identity.*", "arm.roleassignment.*"],
            "arm.*",
            json!({ "kind": "drop" }),
        ),
        (&["arm.identity.delete"], "arm.identity.delete", fails()),
    ] {
        let scene = Scene::open("azure-down").await;
        let profile = scene.ready("cart", reads_secrets()).await;
        let record = status(&profile);
        let identity = record.identity.clone().expect("an identity");
        scene.stage.heal().await;
        for operation in operations {
            let fault = json!({ "operation": operation, "effect": effect });
            scene.stage.fault(fault).await;
        }
        scene.delete_object::<PodIdentityProfile>("cart").await;
        let profile = held(&scene).await;
        assert_eq!(status(&profile).identity, record.identity);
        let bindings: Api<AzureIdentityBinding> =
            Api::namespaced(scene.stage.client.clone(), &scene.namespace);
        let binding = bindings.get_opt("cart").await.unwrap();
        assert!(binding.is_none(), "by which pods have the identity");
        assert!(
            profile
                .metadata
                .finalizers
                .is_some_and(|all| !all.is_empty())
        );
        let times = eventually("four tries", async || {
            let times = failed(&scene, watched).await;
            (times.len() >= 4 * SENT).then_some(times)
        })
        .await;
        let (first, last) = (times.first().expect("one"), times.last().expect("one"));
        let took = last.duration_since(*first).as_secs().unsigned_abs();
        // Each pause is at least twice as long as the one before it, beginning with a second.
        let looks = (took + 1).ilog2() + 1 + OTHER_LOOKS;
        assert!(
            times.len() <= looks as usize * SENT * operations.len(),
            "{} calls in {took} s",
            times.len()
        );
        assert!(scene.azure_identity(&identity.resource_id).await.is_some());

        scene.stage.heal().await;
        scene.until_gone("cart").await;
        assert!(scene.azure_identity(&identity.resource_id).await.is_none());
        assert!(scene.rights(&identity.principal_id).await.is_empty());
        let writes = scene.writes().await;
        let deletes = |call: &String| call.contains(".delete 20");
        let identity_deletes = writes.iter().filter(|call| *call == "identity.delete 200");
        assert!(
            writes.iter().all(deletes) && identity_deletes.count() == 1,
            "{writes:?}"
        );
    }
}

/// In a namespace that is being deleted nothing can be made, not even an Event.
#[tokio::test]
async fn a_profile_goes_with_its_namespace_though_azure_fails_meanwhile() {
    let scene = Scene::open("ending").await;
    let profile = scene.ready("cart", reads_secrets()).await;
    let identity = status(&profile).identity.expect("an identity");
    let name = identity.resource_id.rsplit('/').next().expect("a name");
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.stage.until_carried(VM_NODES[0], name, true).await;

    let fault = json!({ "operation": "arm.identity.*", "effect": fails() });
    scene.stage.fault(fault).await;
    delete_namespace(&scene).await;
    held(&scene).await;
    scene.stage.kill_operator();
    scene.stage.heal().await;
    until_namespace_gone(&scene).await;
    scene.stage.until_carried(VM_NODES[0], name, false).await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
    assert!(scene.rights(&identity.principal_id).await.is_empty());
}

#[tokio::test]
async fn a_profile_whose_namespace_goes_while_it_is_made_leaves_nothing() {
    let scene = Scene::open("cut-short").await;
    let slow = json!({ "kind": "delay", "seconds": 3 });
    let fault = json!({ "operation": "arm.identity.put", "effect": slow });
    scene.stage.fault(fault).await;
    scene.profile("cart", reads_secrets()).await;
    scene.until_creating("cart").await;
    delete_namespace(&scene).await;
    until_namespace_gone(&scene).await;
    let made = scene.calls().await;
    assert!(made.contains(&"identity.put 201".to_owned()), "{made:?}");
    let state = scene.stage.admin(Method::GET, "/state", None).await;
    let state = state.to_string().to_lowercase();
    assert!(!state.contains(&scene.namespace), "it is in Azure still");
}
