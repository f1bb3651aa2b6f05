use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::replica_status::ReplicaStatus;
use super::spelling::either;

/// Binds pods, by the value of their label `aadpodidbinding`, to an AzureIdentity.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureIdentityBinding",
    plural = "azureidentitybindings",
    namespaced,
    status = "ReplicaStatus",
    annotation("api-approved.kubernetes.io", "unapproved"),
    printcolumn(
        name = "AzureIdentity",
        type_ = "string",
        json_path = ".spec.azureIdentity"
    ),
    printcolumn(name = "Selector", type_ = "string", json_path = ".spec.selector"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    doc = "Binds pods, by the value of their label aadpodidbinding, to an AzureIdentity of the same namespace."
)]
#[x_kube(validation = (
    "has(self.azureIdentity) ? self.azureIdentity != '' : has(self.AzureIdentity) && self.AzureIdentity != ''",
    "azureIdentity is required: the name of an AzureIdentity in this namespace"
))]
#[x_kube(validation = (
    "has(self.selector) ? self.selector != '' : has(self.Selector) && self.Selector != ''",
    "selector is required: the value of the pod label aadpodidbinding"
))]
pub struct AzureIdentityBindingSpec {
    /// Name of an AzureIdentity in the binding's own namespace.
    #[serde(
        rename = "azureIdentity",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 253))]
    pub new_azure_identity: Option<String>,
    /// `azureIdentity` as releases before 1.6 spelt it.
    #[serde(
        rename = "AzureIdentity",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 253))]
    pub old_azure_identity: Option<String>,
    /// Value of the pod label `aadpodidbinding`.
    #[serde(rename = "selector", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub new_selector: Option<String>,
    /// `selector` as releases before 1.6 spelt it.
    #[serde(rename = "Selector", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub old_selector: Option<String>,
    /// Kept for compatibility; podid does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

impl AzureIdentityBindingSpec {
    /// Name of the AzureIdentity in either spelling; empty when absent.
    #[must_use]
    pub fn azure_identity(&self) -> &str {
        either(&self.new_azure_identity, &self.old_azure_identity)
    }

    /// Selector in either spelling; empty when absent, and then matches no pod.
    #[must_use]
    pub fn selector(&self) -> &str {
        either(&self.new_selector, &self.old_selector)
    }
}
