//! Somebody else's admission webhook is down, and has what it should look at refused.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::podid::PodIdentityProfile;
use podid_tests::api_proxy::ApiCall;
use serde_json::{Value, json};

use super::{assert_few, named};
use crate::fixture::eventually;
use crate::profile_life::proxied::Proxied;
use crate::profile_life::scene::{Scene, says};

/// A webhook that nobody answers for, for objects of one namespace.
struct DeadWebhook {
    api: Api<ValidatingWebhookConfiguration>,
    name: String,
}

impl DeadWebhook {
    async fn install(scene: &Scene, group: &str, resources: &[&str]) -> Self {
        let rule = json!({
            "apiGroups": [group], "apiVersions": ["*"], "resources": resources,
            "operations": ["CREATE", "UPDATE"],
        });
        let own = json!({ "kubernetes.io/metadata.name": scene.namespace });
        let webhook = json!({
            "name": "theirs.example.com",
            // The discard port, on which nobody listens.
            "clientConfig": { "url": "https://127.0.0.1:9/validate" },
            "rules": [rule], "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            "namespaceSelector": { "matchLabels": own },
        });
        let name = format!("theirs-{}", scene.namespace);
        let configuration = json!({ "metadata": { "name": name }, "webhooks": [webhook] });
        let configuration = serde_json::from_value(configuration).expect("a configuration");
        let api: Api<ValidatingWebhookConfiguration> = Api::all(scene.stage.client.clone());
        let made = api.create(&PostParams::default(), &configuration).await;
        made.unwrap();
        Self { api, name }
    }

    async fn remove(self) {
        let removed = self.api.delete(&self.name, &DeleteParams::default()).await;
        removed.unwrap();
    }
}

/// Looks until the API server asks the webhook, by a write that changes nothing.
async fn in_force<T>(write: impl AsyncFn(&PatchParams) -> kube::Result<T>) {
    let trial = PatchParams {
        dry_run: true,
        ..PatchParams::apply("test").force()
    };
    eventually("the webhook holds", async || {
        let error = write(&trial).await.err()?.to_string();
        error.contains("theirs.example.com").then_some(())
    })
    .await;
}

#[tokio::test]
async fn objects_that_a_dead_webhook_refuses_are_written_when_it_is_gone() {
    let scene = Scene::open("webhook").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    let resources = ["azureidentities", "azureidentitybindings"];
    let dead = DeadWebhook::install(&scene, "aadpodidentity.k8s.io", &resources).await;
    in_force(async |trial: &PatchParams| {
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
            "metadata": { "name": "trial" },
            "spec": { "type": 0, "resourceID": RESOURCE_ID, "clientID": CLIENT_ID },
        });
        let objects = scene.api::<AzureIdentity>();
        objects.patch("trial", trial, &Patch::Apply(&object)).await
    })
    .await;
    scene.profile("cart", named(&scene, "cart")).await;
    let message = eventually("what is wrong", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let has_conditions = profile.status.as_ref()?.conditions.is_some();
        let (reason, message) = has_conditions.then(|| says(&profile, "Ready"))?;
        (reason == "ProgressingWithRetry").then_some(message)
    });
    let message = message.await;
    assert!(message.contains("theirs.example.com"), "{message}");
    dead.remove().await;
    scene.until("cart", "Ready", "True").await;
    assert!(matches!(scene.children("cart").await, (Some(_), Some(_))));
    assert_few(&proxied.proxy.take_calls());
    scene.delete("cart").await;
}

/// An identity that nobody looks for.
const RESOURCE_ID: &str = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/g/providers\
    /Microsoft.ManagedIdentity/userAssignedIdentities/trial";

const CLIENT_ID: &str = "22222222-2222-4222-8222-222222222222";

#[tokio::test]
async fn where_nothing_can_be_written_down_nothing_is_made() {
    let scene = Scene::open("webhook-status").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    let suspended: Value = json!({ "suspend": true });
    scene.profile("trial", suspended).await;
    let dead = DeadWebhook::install(&scene, "podid.dev", &["podidentityprofiles/status"]).await;
    in_force(async |trial: &PatchParams| {
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": { "name": "trial" }, "status": { "boundPods": 7 },
        });
        let profiles = scene.api::<PodIdentityProfile>();
        profiles
            .patch_status("trial", trial, &Patch::Apply(&object))
            .await
    })
    .await;
    scene.stage.heal().await;
    let _before = proxied.proxy.take_calls();
    scene.profile("cart", named(&scene, "cart")).await;
    let is_try = |call: &&ApiCall| call.path.ends_with("/podidentityprofiles/cart/status");
    eventually("three tries", async || {
        let calls = proxied.proxy.calls();
        (calls.iter().filter(is_try).count() >= 3).then_some(())
    })
    .await;
    assert_eq!(
        scene.writes().await,
        [""; 0],
        "what is not written down is not made"
    );
    dead.remove().await;
    scene.until("cart", "Ready", "True").await;
    assert_few(&proxied.proxy.take_calls());
    scene.delete("cart").await;
    scene.delete("trial").await;
}
