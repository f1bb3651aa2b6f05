//! Objects of one test, in a namespace of its own.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use podid_crds::aadpodidentity::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding};
use serde_json::{Value, json};

use crate::fixture::eventually;
use crate::objects::Objects;
use crate::stage::Stage;

/// A namespace of the lab in which the operator runs.
pub(super) struct Scene {
    pub(super) stage: Arc<Stage>,
    objects: Objects,
    /// Sets the selectors of this test apart: bindings reach into all namespaces.
    prefix: String,
}

impl Scene {
    pub(super) async fn open(purpose: &str) -> Self {
        let mut scene = Self::on(Arc::new(Stage::enter().await), purpose).await;
        scene.prefix = scene.namespace.clone();
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
        let objects = Objects::in_new_namespace(&stage.client, purpose).await;
        Self {
            stage,
            objects,
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

    /// Gives the namespace labels.
    pub(super) async fn label_namespace(&self, labels: &Value) {
        let namespaces: Api<Namespace> = Api::all(self.stage.client.clone());
        let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
        namespaces
            .patch(&self.namespace, &PatchParams::default(), &patch)
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

    /// What the AzureAssignedIdentities say, by pod and identity.
    pub(super) async fn assigned(&self) -> BTreeMap<(String, String), String> {
        let list = self.list::<AzureAssignedIdentity>().await;
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
        list.into_iter().map(says).collect()
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

    /// The identities that the operator has recorded as put by it on any VM or scale set.
    pub(super) async fn ledger(&self) -> String {
        let ledgers: Api<ConfigMap> = Api::namespaced(self.stage.client.clone(), "podid-system");
        let of_targets = ListParams::default().labels("podid.dev/ledger=machine");
        let list = ledgers.list(&of_targets).await.unwrap();
        let data = list.items.into_iter().filter_map(|ledger| ledger.data);
        data.filter_map(|mut data| data.remove("identities"))
            .collect()
    }

    pub(super) async fn no_pods(&self) -> bool {
        self.list::<Pod>().await.is_empty()
    }
}

impl Deref for Scene {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}
