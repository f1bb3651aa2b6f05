//! Objects of one test, in a namespace of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fixture::eventually;
use crate::stage::Stage;

/// A namespace on the stage.
pub(super) struct Scene {
    pub(super) stage: Arc<Stage>,
    pub(super) namespace: String,
    /// Sets the selectors of this test apart: bindings reach into all namespaces.
    prefix: String,
}

impl Scene {
    pub(super) async fn open(purpose: &str) -> Self {
        let mut scene = Self::on(Arc::new(Stage::enter().await), purpose).await;
        scene.prefix.clone_from(&scene.namespace);
        scene
    }

    /// Another namespace for the same test.
    pub(super) async fn neighbour(&self, purpose: &str) -> Self {
        let prefix = self.prefix.clone();
        Self {
            prefix,
            ..Self::on(Arc::clone(&self.stage), purpose).await
        }
    }

    async fn on(stage: Arc<Stage>, purpose: &str) -> Self {
        let generate_name = Some(format!("{purpose}-"));
        let metadata = ObjectMeta {
            generate_name,
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        let namespaces: Api<Namespace> = Api::all(stage.client.clone());
        let namespace = namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        Self {
            stage,
            namespace: namespace.metadata.name.expect("a name"),
            prefix: String::new(),
        }
    }

    /// An identity in Azure of a name that no other test has, bound by hand to pods labelled
    /// `selector`. Returns the name.
    pub(super) async fn bind(&self, selector: &str, name: &str) -> String {
        let full = format!("{}-{name}", self.namespace);
        let (id, client_id) = self.stage.identity(&full).await;
        self.bind_id(selector, name, &id, &client_id).await;
        full
    }

    pub(super) async fn bind_id(&self, selector: &str, name: &str, id: &str, client_id: &str) {
        self.create::<AzureIdentity>(json!({
            "metadata": { "name": name },
            "spec": { "type": 0, "resourceID": id, "clientID": client_id },
        }))
        .await;
        self.create::<AzureIdentityBinding>(json!({
            "metadata": { "name": name },
            "spec": { "azureIdentity": name, "selector": self.selector(selector) },
        }))
        .await;
    }

    /// The value of label and selector that this test means.
    pub(super) fn selector(&self, selector: &str) -> String {
        format!("{}.{selector}", self.prefix)
    }

    pub(super) async fn pod(&self, name: &str, selector: &str, node: &str) {
        self.create::<Pod>(json!({
            "metadata": { "name": name, "labels": { "aadpodidbinding": self.selector(selector) } },
            "spec": {
                "nodeName": node,
                "containers": [{ "name": "main", "image": "registry.example/app" }],
            },
        }))
        .await;
    }

    pub(super) async fn delete_pod(&self, name: &str) {
        self.api::<Pod>()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Reports a pod as done, as a kubelet does when its containers have ended.
    pub(super) async fn complete(&self, pod: &str) {
        let status = json!({ "status": { "phase": "Succeeded" } });
        let pods = self.api::<Pod>();
        pods.patch_status(pod, &PatchParams::default(), &Patch::Merge(status))
            .await
            .unwrap();
    }

    pub(super) async fn delete<K: Kind>(&self, name: &str) {
        self.api::<K>()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// What the AzureAssignedIdentities say, by pod and identity.
    pub(super) async fn assigned(&self) -> BTreeMap<(String, String), String> {
        let list = self
            .api::<AzureAssignedIdentity>()
            .list(&ListParams::default())
            .await
            .unwrap();
        let says = |object: AzureAssignedIdentity| {
            let identity = object
                .spec
                .azure_identity_ref
                .expect("a reference")
                .metadata
                .name;
            let status = object.status.expect("a status").status.expect("a word");
            ((object.spec.pod.expect("a pod"), identity), status)
        };
        list.items.into_iter().map(says).collect()
    }

    /// Looks until the AzureAssignedIdentities say exactly this.
    pub(super) async fn until_assigned(&self, expected: &[(&str, &str, &str)]) {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|&(pod, identity, word)| ((pod.into(), identity.into()), word.into()))
            .collect();
        let mut last = BTreeMap::new();
        eventually(
            &format!("AzureAssignedIdentities {expected:?}"),
            async || {
                last = self.assigned().await;
                (last == expected).then_some(())
            },
        )
        .await;
    }

    /// Looks until there is such an Event about a pod; its note.
    pub(super) async fn until_event(&self, pod: &str, reason: &str) -> String {
        eventually(&format!("Event {reason} of {pod}"), async || {
            let events = self
                .api::<Event>()
                .list(&ListParams::default())
                .await
                .unwrap();
            let fits = |event: &Event| {
                let about = event
                    .regarding
                    .as_ref()
                    .and_then(|object| object.name.as_deref());
                about == Some(pod) && event.reason.as_deref() == Some(reason)
            };
            events.items.into_iter().find(fits)?.note
        })
        .await
    }

    /// The identities that the operator has written down as its own on any machine.
    pub(super) async fn ledger(&self) -> String {
        let ledgers: Api<ConfigMap> = Api::namespaced(self.stage.client.clone(), "podid-system");
        let of_machines = ListParams::default().labels("podid.dev/ledger=machine");
        let list = ledgers.list(&of_machines).await.unwrap();
        let data = list.items.into_iter().filter_map(|ledger| ledger.data);
        data.filter_map(|mut data| data.remove("identities"))
            .collect()
    }

    pub(super) async fn no_pods(&self) -> bool {
        self.api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    }

    pub(super) async fn create<K: Kind>(&self, object: Value) {
        let object: K = serde_json::from_value(object).expect("an object");
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    pub(super) fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.stage.client.clone(), &self.namespace)
    }
}

/// A kind with namespaces.
pub(super) trait Kind:
    kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Kind for K where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned
{
}
