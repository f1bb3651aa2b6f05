use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use podid_core::backend::Backend;
use podid_core::class::{
    Cloud, IdentityOperatorGrant, MachineContributorGrant, NeighbourScope, OnNarrowing,
};
use podid_core::net_raw::NetRaw;
use serde::{Deserialize, Serialize};

/// The facts of one environment, and the limits of what profiles may ask for in it.
///
/// Written by the platform team, once per cluster; comparable to a `StorageClass`. Denies by
/// default: a profile may use only namespaces and roles that the class lists.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "podid.dev",
    version = "v1alpha1",
    kind = "PodIdentityClass",
    plural = "podidentityclasses",
    shortname = "pic",
    category = "podid",
    status = "PodIdentityClassStatus",
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
    printcolumn(name = "Profiles", type_ = "integer", json_path = ".status.profiles"),
    printcolumn(
        name = "Unguarded",
        type_ = "integer",
        description = "Nodes on which podid's rules may be missing",
        json_path = ".status.nodes.unguarded"
    ),
    printcolumn(
        name = "Policies",
        type_ = "string",
        description = "Whether podid's admission policies are as this version installs them, at the last look",
        json_path = ".status.conditions[?(@.type==\"PoliciesInstalled\")].status",
        priority = 1
    ),
    printcolumn(
        name = "ResourceGroup",
        type_ = "string",
        json_path = ".spec.resourceGroup",
        priority = 1
    ),
    printcolumn(
        name = "Location",
        type_ = "string",
        json_path = ".spec.location",
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
    doc = "The facts of one environment (cloud, subscription, groups), and the limits of what profiles may ask for in it."
)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityClassSpec {
    /// Azure cloud.
    #[serde(default)]
    pub cloud: Cloud,

    /// Name of this cluster, unique in the subscription; part of identity names and tags.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = (
        "self.matches('^[a-zA-Z0-9][a-zA-Z0-9-]*$')",
        "clusterName takes letters, digits and '-', and starts with a letter or digit"
    ))]
    pub cluster_name: String,

    /// Microsoft Entra tenant, a GUID.
    #[x_kube(validation = (
        "self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
        "tenantId must be a GUID"
    ))]
    #[schemars(length(max = 36))]
    pub tenant_id: String,

    /// Subscription in which identities are created, a GUID.
    #[x_kube(validation = (
        "self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
        "subscriptionId must be a GUID"
    ))]
    #[schemars(length(max = 36))]
    pub subscription_id: String,

    /// Resource group in which identities are created.
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = (
        "self.matches('^[^/%?#]+$') && !self.endsWith('.')",
        "resourceGroup must be the name of a resource group"
    ))]
    pub resource_group: String,

    /// Azure region of created identities.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = (
        "self.matches('^[a-z0-9]+$')",
        "location must be a region's short name, for example westeurope"
    ))]
    pub location: String,

    /// Resource group of the cluster's VMs and scale sets (`MC_…` on AKS).
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = (
        "self.matches('^[^/%?#]+$') && !self.endsWith('.')",
        "nodeResourceGroup must be the name of a resource group"
    ))]
    pub node_resource_group: String,

    /// Backend of profiles that name none.
    #[serde(default)]
    pub default_backend: Backend,

    /// Roles granted to the kubelet identity, so that VMs and scale sets may use identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_grants: Option<NodeGrants>,

    /// Names that a profile may write as the `scope` of a right, instead of an ARM id that differs between
    /// environments. A name permits nothing: `limits.access` decides about the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_string()]))]
    pub scopes: Option<Vec<NamedScope>>,

    /// What is asked of pods that share a network with bound ones, and may be bound or not: to drop `NET_RAW`, and
    /// to keep the rest of the rule behind a profile's `netRaw`. Left out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<Neighbours>,

    /// What profiles may ask for. Left out: nothing but an identity without access, in no
    /// namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ClassLimits>,
}

/// A name for a place in Azure.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NamedScope {
    /// What profiles write.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = (
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "scopes[].name takes lower-case letters, digits and '-', with a letter or digit at each end"
    ))]
    pub name: String,

    /// The ARM id that it stands for: of a subscription, a resource group or a resource.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = (
        "self.matches('(?i)^/subscriptions/[^/]+(/.*)?$')",
        "scopes[].id must be an ARM id that starts with /subscriptions/…"
    ))]
    pub id: String,
}

/// Roles that podid grants to the kubelet's or control plane's identity.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodeGrants {
    /// Object id of the kubelet's or control plane's managed identity, a GUID.
    #[schemars(length(max = 36))]
    #[x_kube(validation = (
        "self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
        "nodeGrants.principalId must be a GUID (the identity's object id)"
    ))]
    pub principal_id: String,

    /// Where podid grants the kubelet identity the role Managed Identity Operator.
    #[serde(default)]
    pub managed_identity_operator: IdentityOperatorGrant,

    /// Where podid grants the kubelet identity the role Virtual Machine Contributor.
    #[serde(default)]
    pub virtual_machine_contributor: MachineContributorGrant,
}

/// What a class asks of neighbours of bound pods. `kube-system` and podid's own namespace are always left out.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Neighbours {
    /// Whether a pod that breaks the rule is refused (`Enforce`), or admitted with a warning (`Audit`). Of pods that
    /// share their node's namespaces, `limits.allowHostNamespaces` decides besides.
    pub rule: NetRaw,

    /// Which pods are neighbours: those of the namespaces that may use the class (`Namespaces`), or of all namespaces
    /// (`Nodes`).
    #[serde(default)]
    pub scope: NeighbourScope,

    /// Namespaces that are left out, as that of a network plugin: of this rule, and of the refusal that
    /// `limits.allowHostNamespaces` lifts for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = (
        "self.all(n, n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",
        "neighbours.exceptNamespaces[] must be names of namespaces; there is no * here"
    ))]
    pub except_namespaces: Option<Vec<String>>,

    /// Labels of nodes that serve no identities, because podid's node daemon does not run there. A pod is left out
    /// whose `nodeSelector` has them all, of this rule and of the refusal that `limits.allowHostNamespaces` lifts for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_nodes: Option<BTreeMap<String, String>>,
}

/// What profiles of a class may ask for; empty means none.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassLimits {
    /// Namespaces whose profiles may use the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<NamespaceLimit>,

    /// Roles that a profile may ask for, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub access: Option<Vec<AccessLimit>>,

    /// Resource groups, beside the class's own, whose identities a profile may adopt; ids of the
    /// form `/subscriptions/…/resourceGroups/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 256)))]
    #[x_kube(validation = (
        "self.all(g, g.matches('(?i)^/subscriptions/[^/]+/resourcegroups/[^/]+$'))",
        "limits.identityGroups[] must be /subscriptions/…/resourceGroups/…"
    ))]
    pub identity_groups: Option<Vec<String>>,

    /// Whether profiles of several namespaces may adopt one identity. Left out: only those of the namespace whose
    /// profile adopted it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_shared_adoption: Option<bool>,

    /// Backends that a profile may choose. Left out: the class's `defaultBackend` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    pub backends: Option<Vec<Backend>>,

    /// Whether a profile may set `netRaw` to `Audit` or `Ignore`. Left out: it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_net_raw: Option<bool>,

    /// Whether identities of the class's profiles are also served through `AzureIdentity` objects that were
    /// written by hand, in any namespace. Left out: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_hand_written: Option<bool>,

    /// Whether this class lets pods of the namespaces that it names, or selects by labels, set `hostNetwork` or `hostPID`,
    /// where neither `neighbours` nor the `netRaw` of a profile that binds them asks otherwise. On the network of its node
    /// a pod gets every identity of the node, and among the node's processes it may read tokens of others. Left out: they
    /// may not. By `*` in `namespaces.names` no namespace is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_host_namespaces: Option<bool>,

    /// What becomes of what a profile has and this class does not allow any more: the profile keeps it (`Keep`), or
    /// podid takes away what it made of it (`Revoke`), a role from the identity, or the identity from the pods where
    /// the namespace or the identity is not allowed; the identity itself is not deleted. Left out: `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_narrowing: Option<OnNarrowing>,

    /// Which namespaces may use `AzureIdentity` objects of types 1 and 2 (service principals), and where their
    /// Secrets may be sent. Left out: none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principals: Option<ServicePrincipalLimit>,
}

/// Who may use service principals, and of which authorities.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipalLimit {
    /// Names of the namespaces; `*` alone stands for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Option<Vec<String>>,

    /// Addresses of Entra that their Secrets may be sent to, `https://HOST` or `https://HOST:PORT`. Left out: that
    /// of the class's `cloud`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(min = 1, max = 300)))]
    #[x_kube(validation = (
        "self.all(a, a.matches('^https://[a-zA-Z0-9.-]+(:[0-9]{1,5})?/?$'))",
        "limits.servicePrincipals.authorities[] must be https://HOST or https://HOST:PORT"
    ))]
    pub authorities: Option<Vec<String>>,
}

/// Namespaces that may use a class; a namespace is in when it fits any of the fields.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceLimit {
    /// Names of the namespaces; `*`, as a whole name, stands for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set, validation = (
        "self.all(n, n == '*' || n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",
        "limits.namespaces.names[] must be names of namespaces, or *, which stands for all and is no part of a name"
    ))]
    pub names: Option<Vec<String>>,

    /// Labels, all of which a namespace must carry to be in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
}

/// One role, and the scopes at or below which a profile may ask for it.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccessLimit {
    /// Built-in role name, role GUID or full role definition id.
    #[schemars(length(min = 1, max = 256))]
    pub role: String,

    /// ARM ids of the scopes at or below which a profile may ask for the role.
    #[schemars(length(min = 1, max = 25), inner(length(min = 1, max = 1024)))]
    #[x_kube(validation = (
        "self.all(s, s.matches('(?i)^/subscriptions/[^/]+(/.*)?$'))",
        "limits.access[].scopes[] must be ARM ids that start with /subscriptions/…"
    ))]
    pub scopes: Vec<String>,
}

/// What podid found about a class.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentityClassStatus {
    /// Generation of the spec that this status describes; −1 until podid has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// `Ready`, `Reconciling` and `Stalled` as kstatus reads them. `Ready` is true only after Azure
    /// has confirmed subscription, tenant, groups, region and role names. No part of it are `NodesGuarded`, which is
    /// true while podid's rules are on every node, `PoliciesInstalled`, and `NeighboursReady`, which is there where
    /// the class asks something of neighbours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Option<Vec<Condition>>,

    /// How many profiles use the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<i32>,

    /// The cluster's nodes, the same in every class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<ClassNodes>,

    /// How many pods run that break what `spec.neighbours` asks, when the class was last looked at;
    /// `breakingNeighbours` names the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaking_neighbour_count: Option<i32>,

    /// The first twenty of those, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub breaking_neighbours: Option<Vec<BreakingNeighbour>>,

    /// Last value of the annotation `reconcile.fluxcd.io/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// A pod that breaks what its class asks of neighbours.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BreakingNeighbour {
    /// Its namespace.
    pub namespace: String,

    /// Its name.
    pub name: String,

    /// In which ways the pod breaks the rule.
    pub reason: String,
}

/// The nodes on which the node daemon is to run.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ClassNodes {
    /// How many there are.
    pub total: i32,

    /// On how many podid's rules may be missing, because no daemon has been ready since the node started, or
    /// none is any more.
    pub unguarded: i32,

    /// The first ten of those, by name. Which taint a node has and why is in its Events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub unguarded_names: Vec<String>,
}
