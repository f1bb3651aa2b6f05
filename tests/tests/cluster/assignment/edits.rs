//! What becomes of identities that are on a machine when somebody edits an AzureIdentity or moves a pod.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity};
use serde_json::{Value, json};

use super::scene::Scene;
use crate::fixture::eventually;
use crate::stage::VM_NODES;

impl Scene {
    async fn edit(&self, identity: &str, change: Value) {
        self.api::<AzureIdentity>()
            .patch(identity, &PatchParams::default(), &Patch::Merge(change))
            .await
            .unwrap();
    }

    /// The one AzureAssignedIdentity there is: its version, the id that it names, and its node.
    async fn only_object(&self) -> (String, String, String) {
        let mut objects = self.list::<AzureAssignedIdentity>().await;
        let object = objects.pop().expect("an object");
        assert!(objects.is_empty(), "{objects:?}");
        let identity = object.spec.azure_identity_ref.expect("a reference");
        let id = identity.spec["resourceID"].as_str().expect("an id");
        (
            object.metadata.resource_version.expect("a version"),
            id.to_owned(),
            object.spec.node_name.expect("a node"),
        )
    }
}

#[tokio::test]
async fn an_azure_identity_that_names_another_identity_is_followed() {
    let scene = Scene::open("fields").await;
    let former = scene.bind("web", "id").await;
    let other = scene.own("other");
    let (id, client_id) = scene.stage.identity(&other).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    let assigned = [("web", "id", "Assigned")];
    scene.until_assigned(&assigned).await;
    let spec = json!({ "spec": { "resourceID": id, "clientID": client_id } });
    scene.edit("id", spec).await;
    scene.stage.until_carried(VM_NODES[0], &other, true).await;
    scene.stage.until_carried(VM_NODES[0], &former, false).await;
    eventually("the object names the other and is assigned", async || {
        let names_it = scene.only_object().await.1.eq_ignore_ascii_case(&id);
        let is_assigned = scene
            .assigned()
            .await
            .values()
            .all(|word| word == "Assigned");
        (names_it && is_assigned).then_some(())
    })
    .await;
    scene.delete_pod("web").await;
    scene.stage.until_carried(VM_NODES[0], &other, false).await;
}

/// Weakness 51 of the predecessor: an edit of nothing but the letter case of `resourceID` could take the identity off the
/// machine.
///
/// Weakness 29 of the predecessor: every edit, also of an annotation, set all users of the identity back to `Created`, and
/// their tokens had to wait.
#[tokio::test]
async fn a_hundred_edits_of_letter_case_and_annotations_write_nothing_anywhere() {
    let scene = Scene::open("case").await;
    let identity = scene.bind("web", "id").await;
    let (id, _) = scene.stage.find_identity(&identity).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    let before = scene.only_object().await.0;
    let capitals = id
        .to_uppercase()
        .replace("/SUBSCRIPTIONS", "/subscriptions");
    for number in 0..50 {
        for spelling in [&capitals, &id] {
            let annotations = json!({ "edited": format!("{number} {spelling}") });
            let edit = json!({
                "metadata": { "annotations": annotations }, "spec": { "resourceID": spelling },
            });
            scene.edit("id", edit).await;
        }
    }
    assert_eq!(scene.only_object().await.0, before);
    // Edits are seen in their order: when the identity goes with its object, all of them were.
    scene.delete_object::<AzureIdentity>("id").await;
    scene.until_assigned(&[]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    assert_eq!(
        scene.stage.calls("arm.vm.patch", VM_NODES[0]).await,
        [200, 200],
        "it came, and it went"
    );
    let written = scene.written();
    let of_objects = written.iter().filter(|call| call.starts_with("patch "));
    assert!(of_objects.count() <= 2, "{written:?}");
    scene.delete_pod("web").await;
}

#[tokio::test]
async fn a_pod_whose_label_changes_has_the_identity_of_the_new_value() {
    let scene = Scene::open("label").await;
    let former = scene.bind("one", "one").await;
    let other = scene.bind("two", "two").await;
    scene.pod("web", "one", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "one", "Assigned")]).await;
    let labels = json!({ "metadata": { "labels": { "aadpodidbinding": scene.selector("two") } } });
    scene
        .api::<Pod>()
        .patch("web", &PatchParams::default(), &Patch::Merge(labels))
        .await
        .unwrap();
    scene.until_assigned(&[("web", "two", "Assigned")]).await;
    scene.stage.until_carried(VM_NODES[0], &other, true).await;
    scene.stage.until_carried(VM_NODES[0], &former, false).await;
    scene.delete_pod("web").await;
    scene.stage.until_carried(VM_NODES[0], &other, false).await;
}

#[tokio::test]
async fn a_pod_that_is_made_again_under_its_name_takes_its_identity_to_the_new_node() {
    let scene = Scene::open("moved").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web-0", "web", VM_NODES[0]).await;
    let assigned = [("web-0", "id", "Assigned")];
    scene.until_assigned(&assigned).await;
    assert_eq!(scene.only_object().await.2, VM_NODES[0]);
    scene.delete_pod("web-0").await;
    eventually("the name is free", async || {
        scene.no_pods().await.then_some(())
    })
    .await;
    scene.pod("web-0", "web", VM_NODES[1]).await;
    scene
        .stage
        .until_carried(VM_NODES[1], &identity, true)
        .await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.until_assigned(&assigned).await;
    eventually("the object of the new pod alone", async || {
        let objects = scene.list::<AzureAssignedIdentity>().await;
        let nodes: Vec<_> = objects
            .into_iter()
            .filter_map(|object| object.spec.node_name)
            .collect();
        (nodes == [VM_NODES[1]]).then_some(())
    })
    .await;
    scene.delete_pod("web-0").await;
    scene
        .stage
        .until_carried(VM_NODES[1], &identity, false)
        .await;
}
