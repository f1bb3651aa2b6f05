//! The facts and limits of an environment, as plain values.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arm::ArmId;
use crate::backend::Backend;
use crate::net_raw::NetRaw;
use crate::scope::Scope;

/// Azure cloud, by the name that `azure.json` and the metadata service use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    AzurePublicCloud,
    /// Azure US Government.
    AzureUSGovernmentCloud,
    /// Azure operated in China.
    AzureChinaCloud,
}

impl Cloud {
    /// The name that `azure.json` uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AzurePublicCloud => "AzurePublicCloud",
            Self::AzureUSGovernmentCloud => "AzureUSGovernmentCloud",
            Self::AzureChinaCloud => "AzureChinaCloud",
        }
    }
}

/// Where Managed Identity Operator is granted to the kubelet identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityOperatorGrant {
    /// On each profile's identity.
    #[default]
    Identity,
    /// On the resource group of the identities.
    ResourceGroup,
    /// On the subscription of the identities.
    Subscription,
    /// Nowhere: somebody else grants it.
    None,
}

/// Where Virtual Machine Contributor is granted to the kubelet identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MachineContributorGrant {
    /// On the resource group of the VMs and scale sets.
    #[default]
    NodeResourceGroup,
    /// Nowhere: somebody else grants it.
    None,
}

/// What becomes of what profiles have and their class does not allow any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnNarrowing {
    /// They keep it.
    #[default]
    Keep,
    /// It is taken away, as far as podid made it.
    Revoke,
}

/// A class as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Name of the class.
    pub name: String,
    /// See [`Cloud`].
    pub cloud: Cloud,
    /// Name of the cluster.
    pub cluster_name: String,
    /// Tenant, a GUID.
    pub tenant_id: String,
    /// Subscription of created identities, a GUID.
    pub subscription_id: String,
    /// Resource group of created identities.
    pub resource_group: String,
    /// Region of created identities.
    pub location: String,
    /// Resource group of the VMs and scale sets.
    pub node_resource_group: String,
    /// Backend of profiles that name none.
    pub default_backend: Backend,
    /// Roles for the kubelet identity.
    pub node_grants: Option<NodeGrants>,
    /// Names that profiles may write instead of ARM ids.
    pub scopes: Vec<NamedScope>,
    /// What is asked of neighbours of bound pods; `None`: nothing.
    pub neighbours: Option<Neighbours>,
    /// What profiles may ask for.
    pub limits: Limits,
}

/// A name for a place in Azure. It permits nothing there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedScope {
    /// The name, unique in the class.
    pub name: String,
    /// What it stands for.
    pub id: ArmId,
}

/// Roles for the kubelet's or control plane's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeGrants {
    /// Object id of that identity.
    pub principal_id: String,
    /// See [`IdentityOperatorGrant`].
    pub identity_operator: IdentityOperatorGrant,
    /// See [`MachineContributorGrant`].
    pub machine_contributor: MachineContributorGrant,
}

/// Which pods count as neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NeighbourScope {
    /// Pods of the namespaces that may use the class.
    #[default]
    Namespaces,
    /// Pods of all namespaces, on all nodes that serve identities.
    Nodes,
}

/// What a class asks of neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbours {
    /// Whether they are refused, or warned of.
    pub rule: NetRaw,
    /// See [`NeighbourScope`].
    pub scope: NeighbourScope,
    /// Namespaces that are left out.
    pub except_namespaces: BTreeSet<String>,
    /// Labels of nodes that serve no identities.
    pub except_nodes: BTreeMap<String, String>,
}

/// What profiles may ask for; empty means none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Namespaces by name; `*` stands for all.
    pub namespaces: BTreeSet<String>,
    /// Namespaces by labels, all of which must fit; `None`: not by labels.
    pub namespace_labels: Option<BTreeMap<String, String>>,
    /// Roles and the scopes that cover them.
    pub access: Vec<AccessLimit>,
    /// Groups, beside the class's own, whose identities may be adopted.
    pub identity_groups: Vec<ArmId>,
    /// Backends that a profile may choose, beside the default.
    pub backends: BTreeSet<Backend>,
    /// Whether a profile may set `netRaw` to `Audit` or `Ignore`.
    pub allow_net_raw: bool,
    /// Whether profiles of several namespaces may adopt one identity.
    pub allow_shared_adoption: bool,
    /// Whether identities of its profiles are also served through hand-written AzureIdentities.
    pub allow_hand_written: bool,
    /// Whether pods of the namespaces above may share the network and the processes of their node.
    pub allow_host_namespaces: bool,
    /// See [`OnNarrowing`].
    pub on_narrowing: OnNarrowing,
}

/// One role, and the scopes at or below which it may be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessLimit {
    /// Role name, role GUID or full role definition id, as written.
    pub role: String,
    /// Scopes, each covering itself and all below it.
    pub scopes: Vec<ArmId>,
}

impl Class {
    /// Whether objects of a namespace with these labels may use the class: it is listed by name, or carries all of
    /// the labels. Without labels in the class, no label is a permission.
    #[must_use]
    pub fn admits_namespace(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.limits.namespaces.contains("*") || self.names_namespace(name, labels)
    }

    /// The same, but for a class that admits all namespaces by `*`.
    pub(super) fn names_namespace(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let (names, wanted) = (&self.limits.namespaces, &self.limits.namespace_labels);
        let has = |(key, value)| labels.get(key) == Some(value);
        names.contains(name)
            || wanted
                .as_ref()
                .is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(has))
    }

    /// The ARM id of a scope; `None` for a name that the class does not give.
    #[must_use]
    pub fn scope_id<'a>(&'a self, scope: &'a Scope) -> Option<&'a ArmId> {
        match scope {
            Scope::Id(id) => Some(id),
            Scope::Name(name) => {
                let named = self.scopes.iter().find(|scope| scope.name == *name)?;
                Some(&named.id)
            }
        }
    }

    /// Whether an existing identity is in one of the class's resource groups, so that it may be adopted.
    #[must_use]
    pub fn covers_identity(&self, id: &ArmId) -> bool {
        let own = self.group_id();
        let mut groups = std::iter::once(&own).chain(&self.limits.identity_groups);
        groups.any(|group| group.covers_plainly(id))
    }

    /// ARM id of the subscription of created identities and of the VMs and scale sets.
    #[must_use]
    pub fn subscription(&self) -> ArmId {
        ArmId::of_subscription(&self.subscription_id)
    }

    /// ARM id of the group in which identities are created.
    #[must_use]
    pub fn group_id(&self) -> ArmId {
        self.group(&self.resource_group)
    }

    /// ARM id of the group of the VMs and scale sets.
    #[must_use]
    pub fn node_group_id(&self) -> ArmId {
        self.group(&self.node_resource_group)
    }

    fn group(&self, name: &str) -> ArmId {
        ArmId::new(format!(
            "/subscriptions/{}/resourceGroups/{name}",
            self.subscription_id
        ))
    }
}
