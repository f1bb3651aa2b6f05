use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Pods, by labels, whose token requests go to the node's metadata service untouched.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzurePodIdentityException",
    plural = "azurepodidentityexceptions",
    namespaced,
    status = "AzurePodIdentityExceptionStatus",
    annotation("api-approved.kubernetes.io", "unapproved"),
    doc = "Pods, by labels, whose token requests go to the node's metadata service untouched."
)]
pub struct AzurePodIdentityExceptionSpec {
    /// Labels that a pod of the same namespace must all carry.
    #[serde(rename = "podLabels", default, skip_serializing_if = "Option::is_none")]
    pub new_pod_labels: Option<BTreeMap<String, String>>,
    /// `podLabels` as releases before 1.6 spelt it.
    #[serde(rename = "PodLabels", default, skip_serializing_if = "Option::is_none")]
    pub old_pod_labels: Option<BTreeMap<String, String>>,
}

impl AzurePodIdentityExceptionSpec {
    /// Labels in either spelling; empty when absent, and then the exception excepts no pod.
    #[must_use]
    pub fn pod_labels(&self) -> BTreeMap<String, String> {
        self.new_pod_labels
            .as_ref()
            .filter(|labels| !labels.is_empty())
            .or(self.old_pod_labels.as_ref())
            .cloned()
            .unwrap_or_default()
    }
}

/// Kept for compatibility; podid does not read it.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct AzurePodIdentityExceptionStatus {
    /// Kept for compatibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}
