//! Profiles of one test, in a namespace and with a class of its own.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile, PodIdentityProfileStatus};
use podid_lab::layout::{
    KUBELET_PRINCIPAL, LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT, VAULT,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{eventually, refusal};
use crate::objects::Objects;
use crate::stage::Stage;

/// The role that classes here allow, and its scope.
pub(super) const READS_SECRETS: &str = "Key Vault Secrets User";

/// The vault's id.
pub(super) fn vault() -> String {
    format!(
        "{}/providers/Microsoft.KeyVault/vaults/{VAULT}",
        group(RESOURCE_GROUP)
    )
}

/// A resource group's id.
pub(super) fn group(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

/// One right, as a profile asks for it.
pub(super) fn access(role: &str, scope: &str) -> Value {
    json!({ "role": role, "scope": scope })
}

/// What a profile says that may read the vault's secrets.
pub(super) fn reads_secrets() -> Value {
    json!({ "access": [access(READS_SECRETS, &vault())] })
}

/// A namespace of the lab in which the operator runs, and a class for it.
pub(super) struct Scene {
    pub(super) stage: Arc<Stage>,
    objects: Objects,
}

impl Scene {
    /// A namespace, and a class that lets it read secrets.
    pub(super) async fn open(purpose: &str) -> Self {
        let scene = Self::without_class(purpose).await;
        scene.class(json!({})).await;
        scene
    }

    /// A namespace only.
    pub(super) async fn without_class(purpose: &str) -> Self {
        let stage = Arc::new(Stage::enter().await);
        let objects = Objects::in_new_namespace(&stage.client, purpose).await;
        Self { stage, objects }
    }

    /// Another namespace of the same lab, without a class.
    pub(super) async fn beside(&self, purpose: &str) -> Self {
        let objects = Objects::in_new_namespace(&self.stage.client, purpose).await;
        let stage = Arc::clone(&self.stage);
        Self { stage, objects }
    }

    /// Applies the class, named like the namespace, with `changes` merged into its spec.
    pub(super) async fn class(&self, changes: Value) {
        let mut spec = json!({
            "clusterName": "lab",
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "nodeGrants": { "principalId": KUBELET_PRINCIPAL },
            "limits": {
                "namespaces": { "names": [self.namespace] },
                "access": [{ "role": READS_SECRETS, "scopes": [group(RESOURCE_GROUP)] }],
            },
        });
        merge(&mut spec, changes);
        let class = json!({
            "apiVersion": "podid.dev/v1alpha1",
            "kind": "PodIdentityClass",
            "metadata": { "name": self.namespace },
            "spec": spec,
        });
        let classes: Api<PodIdentityClass> = Api::all(self.stage.client.clone());
        let params = PatchParams::apply("test").force();
        classes
            .patch(&self.namespace, &params, &Patch::Apply(&class))
            .await
            .unwrap();
    }

    /// Applies a profile, as a GitOps tool does.
    pub(super) async fn profile(&self, name: &str, spec: Value) -> PodIdentityProfile {
        self.apply_profile(name, spec).await.unwrap()
    }

    /// Applies a profile, whose class may not allow it; whether it was admitted.
    pub(super) async fn try_profile(&self, name: &str, spec: Value) -> bool {
        match self.apply_profile(name, spec).await {
            Ok(_) => true,
            Err(error) => {
                let refused = refusal(error);
                let by_class = refused.message.contains("podid-class-limits");
                assert!(by_class, "{refused:?}");
                false
            }
        }
    }

    async fn apply_profile(&self, name: &str, spec: Value) -> kube::Result<PodIdentityProfile> {
        // Tests that delete a profile do not wait for its pods, unless they say so.
        let mut whole = json!({ "className": self.namespace, "deletionGracePeriod": "0s" });
        merge(&mut whole, spec);
        let profile = json!({
            "apiVersion": "podid.dev/v1alpha1",
            "kind": "PodIdentityProfile",
            "metadata": { "name": name },
            "spec": whole,
        });
        let params = PatchParams::apply("test").force();
        self.api()
            .patch(name, &params, &Patch::Apply(&profile))
            .await
    }

    /// Applies a profile and looks until it is ready.
    pub(super) async fn ready(&self, name: &str, spec: Value) -> PodIdentityProfile {
        self.profile(name, spec).await;
        self.until(name, "Ready", "True").await
    }

    /// Looks until a condition of the profile's current generation has this status.
    pub(super) async fn until(&self, name: &str, kind: &str, status: &str) -> PodIdentityProfile {
        let what = format!("{kind}={status} of {name}");
        eventually(&what, async || {
            let profile: PodIdentityProfile = self.api().get(name).await.unwrap();
            let current = profile.meta().generation;
            let fits = |c: &Condition| {
                c.type_ == kind && c.status == status && c.observed_generation == current
            };
            conditions(&profile).iter().any(fits).then_some(profile)
        })
        .await
    }

    /// Looks until the profile says that its identity is being made.
    pub(super) async fn until_creating(&self, name: &str) {
        eventually(&format!("word of the identity of {name}"), async || {
            let profile: PodIdentityProfile = self.api().get(name).await.unwrap();
            let creates = |c: &Condition| c.message.starts_with("podid is creating identity");
            conditions(&profile).iter().any(creates).then_some(())
        })
        .await;
    }

    /// Looks until the profile is ready or stalled.
    pub(super) async fn until_decided(&self, name: &str) -> PodIdentityProfile {
        eventually(&format!("a decision about {name}"), async || {
            let profile: PodIdentityProfile = self.api().get(name).await.unwrap();
            let current = profile.meta().generation;
            let decides = |c: &Condition| {
                let ends = ["Ready", "Stalled"].contains(&c.type_.as_str());
                ends && c.status == "True" && c.observed_generation == current
            };
            conditions(&profile).iter().any(decides).then_some(profile)
        })
        .await
    }

    /// Asks for a reconciliation and looks until it has been handled.
    pub(super) async fn poke(&self, name: &str, value: &str) -> PodIdentityProfile {
        let annotation =
            json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": value } } });
        let profiles = self.api::<PodIdentityProfile>();
        profiles
            .patch(name, &PatchParams::default(), &Patch::Merge(annotation))
            .await
            .unwrap();
        eventually(&format!("{value} handled"), async || {
            let profile = profiles.get(name).await.unwrap();
            (status(&profile).last_handled_reconcile_at.as_deref() == Some(value))
                .then_some(profile)
        })
        .await
    }

    /// Deletes the profile, and looks until it is gone.
    pub(super) async fn delete(&self, name: &str) {
        self.delete_object::<PodIdentityProfile>(name).await;
        self.until_gone(name).await;
    }

    /// Looks until the profile is gone.
    pub(super) async fn until_gone(&self, name: &str) {
        let profiles = self.api::<PodIdentityProfile>();
        eventually(&format!("{name} gone"), async || {
            profiles
                .get_opt(name)
                .await
                .unwrap()
                .is_none()
                .then_some(())
        })
        .await;
    }

    /// A pod of this namespace that keeps the NET_RAW rule.
    pub(super) async fn pod(&self, name: &str, selector: &str, node: &str) {
        let drops = json!({ "capabilities": { "drop": ["NET_RAW"] } });
        self.try_pod(name, selector, node, drops).await.unwrap();
    }

    /// A pod of this namespace whose container has this security context, if it is admitted.
    pub(super) async fn try_pod(
        &self,
        name: &str,
        selector: &str,
        node: &str,
        context: Value,
    ) -> kube::Result<Pod> {
        let pod = json!({
            "metadata": { "name": name, "labels": { "aadpodidbinding": selector } },
            "spec": {
                "nodeName": node,
                "containers": [{
                    "name": "main",
                    "image": "registry.example/app",
                    "securityContext": context,
                }],
            },
        });
        self.try_create(pod).await
    }

    /// How far the pods are, by the AzureAssignedIdentities of the namespace: `pod status reason`.
    pub(super) async fn assigned(&self) -> BTreeSet<String> {
        let list = self.list::<AzureAssignedIdentity>().await;
        let words = list.into_iter().map(|object| {
            let status = object.status.unwrap_or_default();
            let words = [object.spec.pod, status.status, status.reason];
            let words: Vec<String> = words.into_iter().flatten().collect();
            words.join(" ")
        });
        words.collect()
    }

    /// Looks until the AzureAssignedIdentities of the namespace say exactly this.
    pub(super) async fn until_assigned(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|&words| words.to_owned()).collect();
        eventually(&format!("assignments {expected:?}"), async || {
            (self.assigned().await == expected).then_some(())
        })
        .await;
    }

    /// The two objects of a profile.
    pub(super) async fn children(
        &self,
        name: &str,
    ) -> (Option<AzureIdentity>, Option<AzureIdentityBinding>) {
        (
            self.api().get_opt(name).await.unwrap(),
            self.api().get_opt(name).await.unwrap(),
        )
    }

    /// Azure's identity of this id.
    pub(super) async fn azure_identity(&self, id: &str) -> Option<Value> {
        let state = self.stage.admin(Method::GET, "/state", None).await;
        let identities = state["identities"].as_array().expect("identities").clone();
        identities.into_iter().find(|found| same(&found["id"], id))
    }

    /// What a principal may do in Azure, as `role scope`.
    pub(super) async fn rights(&self, principal: &str) -> BTreeSet<String> {
        let state = self.stage.admin(Method::GET, "/state", None).await;
        let all = state["roleAssignments"]
            .as_array()
            .expect("assignments")
            .clone();
        let words = |a: &Value| {
            let (role, scope) = (a["role"].as_str(), a["scope"].as_str());
            format!("{} {}", role.unwrap_or_default(), scope.unwrap_or_default())
        };
        all.iter()
            .filter(|a| same(&a["principalId"], principal))
            .map(words)
            .collect()
    }

    /// Calls about identities and role assignments since the test began, as `operation status`.
    pub(super) async fn calls(&self) -> Vec<String> {
        let log = self.stage.admin(Method::GET, "/calls", None).await;
        let calls = log["calls"].as_array().expect("calls").clone();
        let of_note = calls.into_iter().filter_map(|call| {
            let operation = call["operation"].as_str()?.strip_prefix("arm.")?.to_owned();
            let ours = operation.starts_with("identity.") || operation.starts_with("role");
            ours.then(|| format!("{operation} {}", call["status"]))
        });
        of_note.collect()
    }

    /// Those of them that write.
    pub(super) async fn writes(&self) -> Vec<String> {
        let reads = [".get", ".list"];
        let calls = self.calls().await.into_iter();
        calls
            .filter(|call| !reads.iter().any(|read| call.contains(read)))
            .collect()
    }
}

impl Deref for Scene {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

/// A profile's status.
pub(super) fn status(profile: &PodIdentityProfile) -> PodIdentityProfileStatus {
    profile.status.clone().unwrap_or_default()
}

/// A profile's conditions.
pub(super) fn conditions(profile: &PodIdentityProfile) -> Vec<Condition> {
    status(profile).conditions.unwrap_or_default()
}

/// One condition's reason and message.
pub(super) fn says(profile: &PodIdentityProfile, kind: &str) -> (String, String) {
    let found = conditions(profile)
        .into_iter()
        .find(|condition| condition.type_ == kind);
    let found = found.unwrap_or_else(|| panic!("no condition {kind}"));
    (found.reason, found.message)
}

/// RFC 7386, as far as tests need it.
fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (key, value) in changes {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, changes) => *into = changes,
    }
}

fn same(value: &Value, text: &str) -> bool {
    value
        .as_str()
        .is_some_and(|value| value.eq_ignore_ascii_case(text))
}
