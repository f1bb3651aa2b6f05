//! What is told to pods whose objects, written by hand, name the wrong thing.

use kube::api::{Patch, PatchParams};
use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use serde_json::json;

use super::scene::Scene;
use crate::stage::VM_NODES;

#[tokio::test]
async fn a_wrong_client_id_is_told_with_the_right_one() {
    let scene = Scene::open("client-id").await;
    let full = format!("{}-id", scene.namespace);
    let (id, client_id) = scene.stage.identity(&full).await;
    let wrong = "00000000-0000-4000-8000-000000000000";
    scene.bind_id("web", "id", &id, wrong).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Failed")]).await;
    let event = scene.until_event("web", "ClientIdMismatch").await;
    let remedy = format!(
        "AzureIdentity {}/id has clientID \"{wrong}\", and ",
        scene.namespace
    );
    assert!(event.contains(&remedy), "{event}");
    let right = format!(" has {client_id}; correct spec.clientID or spec.resourceID");
    assert!(event.contains(&right), "{event}");
    assert!(!scene.stage.carried(VM_NODES[0]).await.contains(&full));

    let mended = json!({ "spec": { "clientID": client_id } });
    scene
        .api::<AzureIdentity>()
        .patch("id", &PatchParams::default(), &Patch::Merge(mended))
        .await
        .unwrap();
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_pod("web").await;
    scene.stage.until_carried(VM_NODES[0], &full, false).await;
}

#[tokio::test]
async fn a_binding_that_names_nothing_is_told_so() {
    let scene = Scene::open("missing").await;
    let binding = json!({
        "metadata": { "name": "web" },
        "spec": { "azureIdentity": "gone", "selector": scene.selector("web") },
    });
    scene.create::<AzureIdentityBinding>(binding).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    let event = scene.until_event("web", "IdentityMissing").await;
    let namespace = &scene.namespace;
    let start = format!(": AzureIdentityBinding {namespace}/web selects the pod and names");
    assert!(event.contains(&start), "{event}");
    let remedy = format!("create AzureIdentity {namespace}/gone, or correct spec.azureIdentity of");
    assert!(event.contains(&remedy), "{event}");
    scene.until_assigned(&[]).await;
    scene.delete_pod("web").await;
}

#[tokio::test]
async fn an_identity_that_cannot_be_read_is_not_assigned_until_it_can() {
    let scene = Scene::open("unreadable").await;
    let body = json!({ "error": { "code": "AuthorizationFailed", "message": "no read" } });
    let effect = json!({ "kind": "respond", "status": 403, "body": body });
    scene
        .stage
        .fault(json!({ "operation": "arm.identity.get", "effect": effect }))
        .await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Failed")]).await;
    let event = scene.until_event("web", "IdentityNotReadable").await;
    assert!(
        event.contains("/id names ")
            && event.contains("grant the operator's identity Managed Identity Operator on it"),
        "{event}"
    );
    scene.stage.heal().await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_pod("web").await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
}

#[tokio::test]
async fn a_pod_on_the_nodes_network_is_told_that_it_is_not_served() {
    let scene = Scene::open("host").await;
    let identity = scene.bind("web", "id").await;
    scene
        .create::<k8s_openapi::api::core::v1::Pod>(json!({
            "metadata": {
                "name": "web", "labels": { "aadpodidbinding": scene.selector("web") },
            },
            "spec": {
                "nodeName": VM_NODES[0],
                "hostNetwork": true,
                "containers": [{ "name": "main", "image": "registry.example/app" }],
            },
        }))
        .await;
    let event = scene.until_event("web", "HostNamespaceUsed").await;
    assert!(event.contains("remove hostNetwork"), "{event}");
    scene.until_assigned(&[]).await;
    assert!(!scene.stage.carried(VM_NODES[0]).await.contains(&identity));
    scene.delete_pod("web").await;
}
