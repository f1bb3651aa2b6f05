//! Machines and nodes beside those that the lab begins with.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use podid_lab::layout::{LOCATION, OPERATOR_APPLICATION, SUBSCRIPTION};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::Scene;

/// ARM id of a machine or scale set.
pub(super) fn machine_id(subscription: &str, group: &str, kind: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}/{name}"
    )
}

impl Scene {
    /// A name that no other test has.
    pub(super) fn own(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Has Azure contain what a seed says, in the lab's subscription where it does not say another.
    pub(super) async fn seed(&self, mut seed: Value) {
        seed["location"] = LOCATION.into();
        if seed["subscriptions"].is_null() {
            seed["subscriptions"] = json!([SUBSCRIPTION]);
        }
        self.stage.admin(Method::POST, "/seed", Some(seed)).await;
    }

    /// A right of the operator's to change machines.
    pub(super) fn may_change_machines(scope: &str) -> Value {
        json!({
            "principal": OPERATOR_APPLICATION, "role": "Virtual Machine Contributor", "scope": scope,
        })
    }

    /// A node joins, on the machine of this id, if it says so already. No kubelet runs there.
    pub(super) async fn join_node(&self, name: &str, machine: Option<&str>) {
        let provider = machine.map(|id| format!("azure://{id}"));
        let node = json!({ "metadata": { "name": name }, "spec": { "providerID": provider } });
        let node: Node = serde_json::from_value(node).expect("a node");
        let created = self.nodes().create(&PostParams::default(), &node).await;
        created.unwrap();
    }

    /// The cloud provider says on which machine a node is.
    pub(super) async fn place_node(&self, name: &str, machine: &str) {
        let placed = json!({ "spec": { "providerID": format!("azure://{machine}") } });
        let patch = Patch::Merge(placed);
        self.nodes()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// A node goes, and leaves its pods behind.
    pub(super) async fn remove_node(&self, name: &str) {
        let deleted = self.nodes().delete(name, &DeleteParams::default()).await;
        deleted.unwrap();
    }

    /// Takes a pod away whose node has no kubelet, unless the garbage collector of pods has done so.
    pub(super) async fn remove_pod(&self, name: &str) {
        let at_once = DeleteParams::default().grace_period(0);
        let deleted = self.api::<Pod>().delete(name, &at_once).await;
        let is_gone =
            |error: &kube::Error| matches!(error, kube::Error::Api(s) if s.is_not_found());
        assert!(deleted.as_ref().err().is_none_or(is_gone), "{deleted:?}");
    }

    fn nodes(&self) -> Api<Node> {
        Api::all(self.stage.client.clone())
    }
}
