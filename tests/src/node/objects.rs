//! Objects as the API server has them.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::test_node::NODE;

/// Namespace of every object.
const NAMESPACE: &str = "team";

/// A pod; it runs once it has an address.
#[must_use]
pub fn pod(name: &str, uid: &str, label: &str, address: Option<Ipv4Addr>) -> Value {
    let status = match address {
        Some(address) => json!({"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}),
        None => json!({"phase": "Pending"}),
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid,
                     "labels": {"aadpodidbinding": label, "app": name}},
        "spec": {"nodeName": NODE, "serviceAccountName": "default",
                 "containers": [{"name": "main", "image": "app"}]},
        "status": status,
    })
}

/// A user-assigned identity whose client id is `client-NAME`.
#[must_use]
pub fn azure_identity(name: &str) -> Value {
    let group = "/subscriptions/s/resourcegroups/g/providers";
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": 0, "clientID": format!("client-{name}"),
                 "resourceID": format!("{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")},
    })
}

/// Binds pods with the label value `selector` to an identity.
#[must_use]
pub fn binding(identity: &str, selector: &str) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
        "metadata": {"name": format!("{identity}-to-{selector}"), "namespace": NAMESPACE},
        "spec": {"azureIdentity": identity, "selector": selector},
    })
}

/// An identity's assignment for one pod, in the given state.
#[must_use]
pub fn assigned(pod: &str, uid: &str, identity: &str, state: &str) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
        "metadata": {"name": format!("{pod}-{identity}"), "namespace": NAMESPACE,
                     "labels": {"nodename": NODE},
                     "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}]},
        "spec": {"pod": pod, "podNamespace": NAMESPACE, "nodename": NODE,
                 "azureIdentityRef": azure_identity(identity)},
        "status": {"status": state},
    })
}

/// Excepts the pods whose label `app` has this value.
#[must_use]
pub fn exception(app: &str) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException",
        "metadata": {"name": app, "namespace": NAMESPACE},
        "spec": {"podLabels": {"app": app}},
    })
}
