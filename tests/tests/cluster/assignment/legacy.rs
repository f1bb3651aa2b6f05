//! Which AzureIdentities that were written by hand are served, and to whom, as the operator is told.

use kube::api::{Api, Patch, PatchParams};
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::podid::PodIdentityClass;
use podid_lab::layout::RESOURCE_GROUP;
use serde_json::json;

use super::scene::Scene;
use crate::cases;
use crate::stage::VM_NODES;

/// Has the operator of the lab run with one more setting, and puts it back as it was, also when a test fails.
pub(super) struct Restarted<'a>(&'a Scene);

impl<'a> Restarted<'a> {
    fn serving(scene: &'a Scene, which: &str) -> Self {
        Self::with(scene, "PODID_LEGACY_IDENTITIES", which)
    }

    pub(super) fn with(scene: &'a Scene, setting: &str, value: &str) -> Self {
        scene.stage.stop_operator();
        scene.stage.start_operator_with(&[(setting, value)]);
        Self(scene)
    }
}

impl Drop for Restarted<'_> {
    fn drop(&mut self) {
        self.0.stage.stop_operator();
        self.0.stage.start_operator();
    }
}

#[tokio::test]
async fn none_takes_back_what_was_assigned_and_any_gives_it_again() {
    let scene = Scene::open("legacy-none").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    {
        let _served = Restarted::serving(&scene, "None");
        scene.until_assigned(&[("web", "id", "Failed")]).await;
        scene
            .stage
            .until_carried(VM_NODES[0], &identity, false)
            .await;
        let event = scene.until_event("web", "LegacyIdentitiesNotServed").await;
        assert!(
            event.contains("write a PodIdentityProfile that adopts the identity"),
            "{event}"
        );
    }
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_pod("web").await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
}

/// Writes a class that covers the identity `id`, for the namespace, and has the identity name it.
async fn cover(scene: &Scene) {
    // A namespace is in by its labels: three watches have to come together.
    let label = json!({ "team": scene.namespace });
    let class = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityClass",
        "metadata": { "name": scene.namespace },
        "spec": cases::class(json!({
            "subscriptionId": podid_lab::layout::SUBSCRIPTION, "resourceGroup": RESOURCE_GROUP,
            "limits": { "namespaces": { "matchLabels": label } },
        })),
    });
    let params = PatchParams::apply("test").force();
    classes(scene)
        .patch(&scene.namespace, &params, &Patch::Apply(&class))
        .await
        .unwrap();
    let named = json!({ "metadata": { "annotations": { "podid.dev/class": scene.namespace } } });
    scene
        .api::<AzureIdentity>()
        .patch("id", &PatchParams::default(), &Patch::Merge(named))
        .await
        .unwrap();
    scene.label_namespace(&label).await;
}

fn classes(scene: &Scene) -> Api<PodIdentityClass> {
    Api::all(scene.stage.client.clone())
}

#[tokio::test]
async fn within_a_class_serves_what_the_class_covers_while_it_does() {
    let scene = Scene::open("legacy-class").await;
    let _served = Restarted::serving(&scene, "WithinClass");
    let identity = scene.bind("web", "id").await;
    let elsewhere = scene.neighbour("legacy-copy").await;
    elsewhere.pod("copy", "web", VM_NODES[1]).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Failed")]).await;
    let event = scene.until_event("web", "NotAllowedByClass").await;
    assert!(event.contains("names no class"), "{event}");

    cover(&scene).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, true)
        .await;

    // The label was copied before the pod was made that has the identity by now.
    elsewhere.until_assigned(&[]).await;
    assert!(!scene.stage.carried(VM_NODES[1]).await.contains(&identity));
    elsewhere.delete_pod("copy").await;

    let classes = classes(&scene);
    let narrower = json!({ "spec": { "resourceGroup": "elsewhere" } });
    classes
        .patch(
            &scene.namespace,
            &PatchParams::default(),
            &Patch::Merge(narrower),
        )
        .await
        .unwrap();
    scene.until_assigned(&[("web", "id", "Failed")]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.delete_pod("web").await;
    classes
        .delete(&scene.namespace, &Default::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_class_that_vanishes_takes_back_what_it_covered_until_it_is_there_again() {
    let scene = Scene::open("legacy-vanished").await;
    let _served = Restarted::serving(&scene, "WithinClass");
    let identity = scene.bind("web", "id").await;
    cover(&scene).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;

    let classes = classes(&scene);
    let name = &scene.namespace;
    classes.delete(name, &Default::default()).await.unwrap();
    scene.until_assigned(&[("web", "id", "Failed")]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
    scene.until_event("web", "NotAllowedByClass").await;

    cover(&scene).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, true)
        .await;
    scene.delete_pod("web").await;
    classes.delete(name, &Default::default()).await.unwrap();
}

#[tokio::test]
async fn a_pod_that_keeps_net_raw_is_refused_while_the_cluster_asks_for_the_drop() {
    let scene = Scene::open("legacy-net-raw").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    {
        let _asked = Restarted::with(&scene, "PODID_LEGACY_NET_RAW", "Enforce");
        let event = scene.until_event("web", "BreaksNetRawRule").await;
        assert!(
            event.contains("container main does not drop NET_RAW"),
            "{event}"
        );
        scene.until_assigned(&[]).await;
        scene
            .stage
            .until_carried(VM_NODES[0], &identity, false)
            .await;
    }
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_pod("web").await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
}
