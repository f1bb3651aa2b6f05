use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use podid_core::net_raw::NetRaw;
use serde::{Deserialize, Serialize};

/// What podid found and did.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityProfileStatus {
    /// Generation of the spec that this status speaks of; −1 until podid has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `Reconciling`, `Stalled` as kstatus reads them, and one condition per part of the
    /// work: `IdentityReady`, `AccessReady`, `BindingReady`, `EnforcementReady`, `AssignmentReady`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Option<Vec<Condition>>,

    /// The identity in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityStatus>,

    /// Role assignments that podid made, is about to make, or adopted for this profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_string()]))]
    pub role_assignments: Option<Vec<RoleAssignmentStatus>>,

    /// The binding as it was last applied. Admission goes by it as well as by the spec, so that an
    /// edit that podid has not applied, or refuses, loosens nothing for pods that are still bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,

    /// With `drift: Observe`: what podid would change, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_changes: Option<Vec<String>>,

    /// Pods bound by this profile that run now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_pods: Option<i32>,

    /// Those of them that have the identity on their VM or scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_pods: Option<i32>,

    /// Bound pods that get no identity, because they break the rule of `netRaw: Enforce` or use the
    /// node's network; at most 20, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub refused_pods: Option<Vec<RefusedPodStatus>>,

    /// How many such pods there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_pod_count: Option<i32>,

    /// Digest of the spec, without `suspend` and `interval`, while all that it asks for is made.
    /// By it a suspended profile says whether it is ready still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_spec: Option<String>,

    /// Last value of the annotation `reconcile.fluxcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// The identity of a profile as Azure knows it.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IdentityStatus {
    /// ARM resource id.
    pub resource_id: String,
    /// Application (client) id that tokens carry as `appid`.
    pub client_id: String,
    /// Object id of the service principal, which role assignments name.
    pub principal_id: String,
    /// Tenant of the identity.
    pub tenant_id: String,
    /// Whether podid made the identity and so may delete it.
    pub created: bool,
}

/// The binding of a profile as it was last applied.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// Value of the pod label `aadpodidbinding`.
    pub selector: String,
    /// What was asked of bound pods about `NET_RAW`.
    pub net_raw: NetRaw,
}

/// A pod that is bound and gets no identity.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusedPodStatus {
    /// Name of the pod, in the profile's namespace.
    pub name: String,
    /// In which ways it breaks the rule.
    pub reason: String,
}

/// A role assignment of a profile.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignmentStatus {
    /// ARM id of the assignment.
    pub id: String,
    /// Role as the profile or class names it.
    pub role: String,
    /// Scope of the assignment.
    pub scope: String,
    /// Principal the role is assigned to.
    pub principal_id: String,
    /// Whether podid made the assignment and so may delete it.
    pub created: bool,
}
