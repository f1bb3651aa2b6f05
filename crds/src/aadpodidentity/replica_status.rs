use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Status of an AzureIdentity or AzureIdentityBinding; kept for compatibility.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// Kept for compatibility; podid does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_replicas: Option<i32>,
}
