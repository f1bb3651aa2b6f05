use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use podid_core::net_raw::NetRaw;
use serde::{Deserialize, Serialize};

/// What podid found and did.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityProfileStatus {
    /// Generation of the spec that this status describes; −1 until podid has seen the object.
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

    /// ARM resource ids of identities that podid has begun to create and has not recorded in `identity` since. Each is
    /// deleted with what the profile used before, unless it becomes the profile's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub creating: Option<Vec<String>>,

    /// Role assignments that podid makes or adopts for this profile. One is listed before Azure is asked
    /// to create it, and while Azure refuses; `AccessReady` says whether all of them exist.
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

    /// Pods bound by this profile that have the identity on their VM or scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_pods: Option<i32>,

    /// Bound pods that get no identity, because they break the rule of `netRaw: Enforce` or use the
    /// node's network; at most 20, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub refused_pods: Option<Vec<RefusedPodStatus>>,

    /// How many bound pods get no identity, because they break the rule of `netRaw: Enforce` or use
    /// the node's network; `refusedPods` names the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_pod_count: Option<i32>,

    /// Digest of the spec, without `suspend`, `interval` and `deletionGracePeriod`, while all that it asks for is made.
    /// A suspended profile is ready while it is the digest of the current spec.
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
    /// ARM resource id of the identity.
    pub resource_id: String,
    /// Application (client) id of the identity, which tokens carry as `appid`.
    pub client_id: String,
    /// Object id of the identity's service principal, which role assignments name.
    pub principal_id: String,
    /// Tenant of the identity.
    pub tenant_id: String,
    /// Whether podid created the identity, and so deletes it with the profile. An adopted one was not.
    pub created: bool,
}

/// The binding of a profile as it was last applied.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// Value of the pod label `aadpodidbinding`.
    pub selector: String,
    /// What the profile asked of bound pods about `NET_RAW` when the binding was applied.
    pub net_raw: NetRaw,
}

/// A pod that is bound and gets no identity.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusedPodStatus {
    /// Name of the pod, in the profile's namespace.
    pub name: String,
    /// In which ways the pod breaks the rule of `netRaw: Enforce`.
    pub reason: String,
}

/// A role assignment of a profile.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignmentStatus {
    /// ARM id of the role assignment.
    pub id: String,
    /// Name of the role, or its GUID.
    pub role: String,
    /// ARM id of the scope at which the role is assigned.
    pub scope: String,
    /// Object id of the principal that the role is assigned to.
    pub principal_id: String,
    /// Whether podid creates the role assignment, and so deletes it with the profile; written before Azure
    /// is asked, so that it says nothing about whether Azure has created it. `false` for one that existed.
    pub created: bool,
}
