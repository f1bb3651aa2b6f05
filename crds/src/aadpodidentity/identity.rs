use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::replica_status::ReplicaStatus;
use super::spelling::either;

/// An identity in Azure that pods may be bound to.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureIdentity",
    plural = "azureidentities",
    namespaced,
    status = "ReplicaStatus",
    annotation("api-approved.kubernetes.io", "unapproved"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "ClientID", type_ = "string", json_path = ".spec.clientID"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    doc = "An identity in Azure that pods may be bound to by an AzureIdentityBinding."
)]
#[x_kube(validation = (
    "!has(self.type) || self.type in [0, 1, 2]",
    "type must be 0 (user-assigned identity), 1 (service principal with secret) or 2 (service principal with certificate)"
))]
#[x_kube(validation = (
    "(has(self.type) && self.type != 0) || (has(self.resourceID) ? self.resourceID.matches('(?i)^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\\\\.ManagedIdentity/userAssignedIdentities/[^/]+$') : has(self.ResourceID) && self.ResourceID.matches('(?i)^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\\\\.ManagedIdentity/userAssignedIdentities/[^/]+$'))",
    "resourceID of a type 0 identity must be /subscriptions/…/resourcegroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…"
))]
#[x_kube(validation = (
    "has(self.clientID) ? self.clientID.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$') : has(self.ClientID) && self.ClientID.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
    "clientID is required and must be a GUID: the identity's client id"
))]
pub struct AzureIdentitySpec {
    /// 0 (or absent): user-assigned identity; 1: service principal with secret; 2: service
    /// principal with certificate.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<i64>,
    /// ARM id of the user-assigned identity; type 0 only.
    #[serde(
        rename = "resourceID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 512))]
    pub new_resource_id: Option<String>,
    /// `resourceID` as releases before 1.6 spelt it.
    #[serde(
        rename = "ResourceID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(max = 512))]
    pub old_resource_id: Option<String>,
    /// Client (application) id.
    #[serde(rename = "clientID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub new_client_id: Option<String>,
    /// `clientID` as releases before 1.6 spelt it.
    #[serde(rename = "ClientID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub old_client_id: Option<String>,
    /// Secret that holds the credential of a service principal; types 1 and 2.
    #[serde(
        rename = "clientPassword",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub new_client_password: Option<SecretReference>,
    /// `clientPassword` as releases before 1.6 spelt it.
    #[serde(
        rename = "ClientPassword",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub old_client_password: Option<SecretReference>,
    /// Tenant of a service principal; types 1 and 2.
    #[serde(rename = "tenantID", default, skip_serializing_if = "Option::is_none")]
    pub new_tenant_id: Option<String>,
    /// `tenantID` as releases before 1.6 spelt it.
    #[serde(rename = "TenantID", default, skip_serializing_if = "Option::is_none")]
    pub old_tenant_id: Option<String>,
    /// Further tenants of a service principal; type 1.
    #[serde(
        rename = "auxiliaryTenantIDs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub auxiliary_tenant_ids: Option<Vec<String>>,
    /// Authority URL of a service principal.
    #[serde(
        rename = "adEndpoint",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ad_endpoint: Option<String>,
    /// Kept for compatibility; podid does not read it.
    #[serde(
        rename = "adResourceID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ad_resource_id: Option<String>,
    /// Kept for compatibility; podid does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}

/// Name and namespace of a Secret.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct SecretReference {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl AzureIdentitySpec {
    /// Type of the identity: 0 when absent.
    #[must_use]
    pub fn kind(&self) -> i64 {
        self.type_.unwrap_or_default()
    }

    /// ARM id in either spelling; empty when absent.
    #[must_use]
    pub fn resource_id(&self) -> &str {
        either(&self.new_resource_id, &self.old_resource_id)
    }

    /// Tenant in either spelling; empty when absent.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        either(&self.new_tenant_id, &self.old_tenant_id)
    }

    /// The Secret in either spelling; one without a name when absent.
    #[must_use]
    pub fn client_password(&self) -> SecretReference {
        let given = self.new_client_password.as_ref();
        let given = given.or(self.old_client_password.as_ref());
        given.cloned().unwrap_or_default()
    }

    /// Client id in either spelling; empty when absent.
    #[must_use]
    pub fn client_id(&self) -> &str {
        either(&self.new_client_id, &self.old_client_id)
    }
}
