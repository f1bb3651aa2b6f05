//! `aadpodidentity.k8s.io/v1`: the kinds of Azure/aad-pod-identity, schema-compatible.
//!
//! Releases before 1.6 spelt the fields of the specs with capitals (`ResourceID`, `ClientID`,
//! `AzureIdentity`, …). The schemas keep both spellings, so that the API server does not prune
//! the old one; readers take the new spelling first ([`AzureIdentitySpec::resource_id`] and its
//! siblings).

mod assigned;
mod binding;
mod exception;
mod identity;
mod replica_status;
mod spelling;

pub use assigned::{
    AzureAssignedIdentity, AzureAssignedIdentitySpec, AzureAssignedIdentityStatus,
    EmbeddedMetadata, EmbeddedObject, STATUS_ASSIGNED, STATUS_CREATED, STATUS_FAILED,
    STATUS_UNASSIGNED,
};
pub use binding::{AzureIdentityBinding, AzureIdentityBindingSpec};
pub use exception::{
    AzurePodIdentityException, AzurePodIdentityExceptionSpec, AzurePodIdentityExceptionStatus,
};
pub use identity::{AzureIdentity, AzureIdentitySpec, SecretReference};
pub use replica_status::ReplicaStatus;

/// Key of the pod label whose value a binding's `selector` names.
pub const BINDING_LABEL: &str = "aadpodidbinding";

/// Label of an AzureAssignedIdentity with the node of its pod, shortened to a label's length. The node daemon
/// selects its node's objects by it.
pub const NODE_LABEL: &str = "nodename";

/// Annotation of an AzureIdentity: with the value [`BEHAVIOR_NAMESPACED`], only pods of its own namespace may
/// use it.
pub const BEHAVIOR_ANNOTATION: &str = "aadpodidentity.k8s.io/Behavior";

/// See [`BEHAVIOR_ANNOTATION`].
pub const BEHAVIOR_NAMESPACED: &str = "namespaced";
