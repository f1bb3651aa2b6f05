use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use podid_core::backend::Backend;
use podid_core::net_raw::NetRaw;
use podid_core::profile::{CreationPolicy, DeletionPolicy, Drift};
use serde::{Deserialize, Serialize};

use super::profile_status::PodIdentityProfileStatus;

/// An Azure identity for the pods of one application: which identity, what it may do, and which
/// pods may use it.
///
/// Written by the team that owns the application, committed to git, and valid in every
/// environment, because the facts of an environment live in its `PodIdentityClass`.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "podid.dev",
    version = "v1alpha1",
    kind = "PodIdentityProfile",
    plural = "podidentityprofiles",
    shortname = "pip",
    category = "podid",
    namespaced,
    status = "PodIdentityProfileStatus",
    validation = (
        "self.metadata.name.size() <= 63 || (has(self.spec.binding) && has(self.spec.binding.selector))",
        "spec.binding.selector is needed where metadata.name is longer than the 63 characters of a label's value"
    ),
    selectable = ".spec.className",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.boundPods"),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        priority = 1
    ),
    printcolumn(
        name = "ClientID",
        type_ = "string",
        json_path = ".status.identity.clientId",
        priority = 1
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    doc = "An Azure identity for the pods of one application: which identity, what it may do, and which pods may use it."
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.identity) || !has(self.identity.resourceId) || !has(self.identity.name)",
    "identity.name and identity.resourceId exclude each other: resourceId already names the identity"
))]
#[x_kube(validation = (
    "!has(self.identity) || !has(self.identity.resourceId) || !has(self.identity.creationPolicy) || self.identity.creationPolicy == 'Adopt'",
    "identity.resourceId adopts an existing identity: creationPolicy must be Adopt or left out"
))]
pub struct PodIdentityProfileSpec {
    /// Name of the `PodIdentityClass` that holds the facts and limits of this environment.
    #[schemars(length(min = 1, max = 253))]
    pub class_name: String,

    /// The managed identity of the profile. Left out: podid creates one, named after the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySpec>,

    /// What the identity may do in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["role".to_string(), "scope".to_string()]))]
    pub access: Option<Vec<AccessRule>>,

    /// Which pods may use the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingSpec>,

    /// How pods get tokens. Left out: the `defaultBackend` of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,

    /// Whether pods bound by this profile must drop the capability `NET_RAW`.
    #[serde(default)]
    pub net_raw: NetRaw,

    /// What podid does about a difference between this profile and Azure: correct it, or only report it. What its
    /// class takes away (`limits.onNarrowing`) is taken either way.
    #[serde(default)]
    pub drift: Drift,

    /// How often Azure is compared with this profile, as a Go duration of at least one minute. Left out:
    /// as often as the operator's `--interval` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = (
        "self.matches('^([0-9]+(\\\\.[0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m')",
        "interval must be a duration of at least 1m, for example 10m or 1h30m"
    ))]
    pub interval: Option<String>,

    /// How long pods keep the identity after the profile is deleted, unless they end before, as a Go duration of at
    /// most one hour; `0s` takes it from them at once. Left out: `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = (
        "self.matches('^([0-9]+(\\\\.[0-9]+)?(ms|s|m|h))+$') && duration(self) <= duration('1h')",
        "deletionGracePeriod must be a duration of at most 1h, for example 30s or 5m"
    ))]
    pub deletion_grace_period: Option<String>,

    /// Whether podid stops all work on this profile, calls to Azure included; a deletion still deletes
    /// what podid created, and a class still takes away what it does not allow (`limits.onNarrowing`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// The managed identity of a profile.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySpec {
    /// Azure name of the identity in the class's resource group. Left out: derived from the
    /// cluster, namespace and profile name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 128))]
    #[x_kube(validation = (
        "self.matches('^[a-zA-Z0-9][a-zA-Z0-9_-]*$')",
        "identity.name takes letters, digits, '-' and '_', and starts with a letter or digit"
    ))]
    pub name: Option<String>,

    /// ARM resource id of an existing identity to adopt instead of creating one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = (
        "self.matches('(?i)^/subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\\\\.ManagedIdentity/userAssignedIdentities/[^/]+$')",
        "identity.resourceId must be /subscriptions/…/resourceGroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…"
    ))]
    pub resource_id: Option<String>,

    /// Azure tags put on a created identity, beside podid's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = (
        "self.size() <= 40 && self.all(k, !k.startsWith('podid-') && k.trim() == k && k.size() <= 512 && self[k].size() <= 256)",
        "identity.tags: at most 40, names up to 512 and values up to 256 characters, and no name starting with podid- or with a space at an end"
    ))]
    pub tags: Option<BTreeMap<String, String>>,

    /// What becomes of a created identity when the profile is deleted. Left out: Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Whether the identity may be created, adopted, or either. Left out: Create, or Adopt when
    /// `resourceId` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_policy: Option<CreationPolicy>,
}

/// One right of the identity.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccessRule {
    /// Built-in role name (`Key Vault Secrets User`), role GUID, or full role definition id.
    #[schemars(length(min = 1, max = 256))]
    pub role: String,

    /// Where: the ARM id of a subscription, resource group or resource, or a name in the `scopes` of the class.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = (
        "self.matches('(?i)^/subscriptions/[^/]+(/.*)?$') || self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
        "access[].scope must be an ARM id that starts with /subscriptions/…, or a name in the scopes of the class"
    ))]
    pub scope: String,
}

/// Which pods may use the identity.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BindingSpec {
    /// Value of the pod label `aadpodidbinding`. Left out: the profile's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = (
        "self.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$')",
        "binding.selector must be a valid label value"
    ))]
    pub selector: Option<String>,

    /// Service accounts to whose pods the binding is narrowed. Left out: pods of any service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub service_accounts: Option<Vec<String>>,
}
