//! What a platform team and a team apply in a cluster.

use podid_lab::layout::{
    KUBELET_PRINCIPAL, LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use podid_tests::kubectl::Kubectl;
use serde_json::{Value, json};

/// Namespace of the team.
pub(crate) const TEAM: &str = "payments";

/// Makes the namespace, a class `standard` and a profile `checkout`, and waits until the profile is ready.
pub(crate) fn profile_is_ready(kubectl: &Kubectl<'_>) {
    kubectl.run(&["create", "namespace", TEAM]);
    kubectl.apply(&class());
    kubectl.apply(&profile());
    let ready = [
        "wait",
        "podidentityprofile/checkout",
        "--for=condition=Ready",
    ];
    kubectl.run(&[&ready[..], &["--namespace", TEAM, "--timeout=120s"]].concat());
}

/// The client id of the profile's identity.
pub(crate) fn client_id(kubectl: &Kubectl<'_>) -> String {
    let profile = kubectl.json(&["--namespace", TEAM, "get", "podidentityprofile/checkout"]);
    let id = profile["status"]["identity"]["clientId"].as_str();
    id.expect("a profile that is ready").to_owned()
}

fn class() -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityClass",
        "metadata": {"name": "standard"},
        "spec": {
            "clusterName": "lab",
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "nodeGrants": {"principalId": KUBELET_PRINCIPAL},
            "limits": {"namespaces": {"names": [TEAM]}},
        },
    })
}

fn profile() -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "checkout", "namespace": TEAM},
        "spec": {"className": "standard"},
    })
}
