//! What a platform team and a team apply in a cluster.

use podid_lab::layout::{
    KUBELET_PRINCIPAL, LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use serde_json::{Value, json};

use crate::kubectl::Kubectl;

/// Namespace of the team.
pub const TEAM: &str = "payments";

/// Arguments for kubectl in the team's namespace.
#[must_use]
pub fn in_team<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["--namespace", TEAM][..], arguments].concat()
}

/// Makes the namespace, a class `standard` and a profile `checkout`, and waits until the profile is ready.
///
/// # Panics
/// When it does not become ready.
pub fn profile_is_ready(kubectl: &Kubectl<'_>) {
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
///
/// # Panics
/// When the profile is not ready.
#[must_use]
#[allow(clippy::expect_used)]
pub fn client_id(kubectl: &Kubectl<'_>) -> String {
    let profile = kubectl.json(&["--namespace", TEAM, "get", "podidentityprofile/checkout"]);
    let id = profile["status"]["identity"]["clientId"].as_str();
    id.expect("a profile that is ready").to_owned()
}

/// The class `standard`: the facts of a lab, and profiles of the team without rights.
#[must_use]
pub fn class() -> Value {
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
        "spec": {"className": "standard", "deletionGracePeriod": "0s"},
    })
}
