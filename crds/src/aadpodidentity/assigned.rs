use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The operator is putting the identity on the VM or scale set.
pub const STATUS_CREATED: &str = "Created";
/// The identity is on the VM or scale set under the pod: tokens may be issued.
pub const STATUS_ASSIGNED: &str = "Assigned";
/// The identity was refused, and is not assigned until a person acts; see
/// [`AzureAssignedIdentityStatus::reason`].
pub const STATUS_FAILED: &str = "Failed";
/// The identity is being taken away.
pub const STATUS_UNASSIGNED: &str = "Unassigned";

/// One pod's use of one AzureIdentity on one node; written by the operator, read by the node.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureAssignedIdentity",
    plural = "azureassignedidentities",
    namespaced,
    status = "AzureAssignedIdentityStatus",
    annotation("api-approved.kubernetes.io", "unapproved"),
    printcolumn(name = "Pod", type_ = "string", json_path = ".spec.pod"),
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.nodename"),
    printcolumn(
        name = "Identity",
        type_ = "string",
        json_path = ".spec.azureIdentityRef.metadata.name"
    ),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    doc = "One pod's use of one AzureIdentity on one node. Written by podid; not meant to be edited."
)]
#[serde(rename_all = "camelCase")]
pub struct AzureAssignedIdentitySpec {
    /// The AzureIdentity, as far as a reader needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_object")]
    pub azure_identity_ref: Option<EmbeddedObject>,
    /// The AzureIdentityBinding, as far as a reader needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "open_object")]
    pub azure_binding_ref: Option<EmbeddedObject>,
    /// Name of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Namespace of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_namespace: Option<String>,
    /// Name of the node the pod runs on.
    #[serde(rename = "nodename", default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Kept for compatibility; podid does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}

/// State of an assignment.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AzureAssignedIdentityStatus {
    /// `Created` (on its way), `Assigned`, `Failed` (refused until a person acts) or `Unassigned`
    /// (being taken away).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// With `Failed`: why, in a word of Azure's or podid's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With `Failed`: what a person can do about it, and what Azure said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Kept for compatibility; written as 1, as the predecessor did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_replicas: Option<i32>,
}

/// The part of a referenced object that is copied into an assignment: never its managed fields,
/// annotations or resource version, which made the predecessor's copies large and stale.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedObject {
    /// API version of the object.
    #[serde(default)]
    pub api_version: String,
    /// Kind of the object.
    #[serde(default)]
    pub kind: String,
    /// Name and namespace of the object.
    #[serde(default)]
    pub metadata: EmbeddedMetadata,
    /// Its spec.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub spec: serde_json::Value,
}

/// Name and namespace of a referenced object.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct EmbeddedMetadata {
    /// Name of the object.
    #[serde(default)]
    pub name: String,
    /// Namespace of the object.
    #[serde(default)]
    pub namespace: String,
}

/// Any object: the predecessor stored full copies here, which must stay readable.
fn open_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
