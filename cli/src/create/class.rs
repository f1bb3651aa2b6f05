//! A class from flags.

use clap::Args;
use podid_core::class::{Cloud, IdentityOperatorGrant, MachineContributorGrant, OnNarrowing};
use podid_crds::podid::{
    AccessRule, ClassLimits, NamedScope, NamespaceLimit, NodeGrants, PodIdentityClassSpec,
};
use serde_json::{Value, json};

use super::destination::DestinationArgs;
use super::neighbours::NeighbourArgs;
use super::values::{access, access_limits, choice, named, role_notes, unless_empty};
use crate::document;

/// `podid class create`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClassArgs {
    /// Name of the class
    pub(super) name: String,

    /// Azure cloud [default: AzurePublicCloud]
    #[arg(
        long, ignore_case = true, value_name = "CLOUD",
        value_parser = choice::<Cloud>(&["AzurePublicCloud", "AzureUSGovernmentCloud", "AzureChinaCloud"])
    )]
    cloud: Option<Cloud>,

    /// Name of the cluster, unique in the subscription
    #[arg(long, value_name = "NAME")]
    cluster: String,

    /// Microsoft Entra tenant
    #[arg(long, value_name = "GUID")]
    tenant: String,

    /// Subscription in which identities are created
    #[arg(long, value_name = "GUID")]
    subscription: String,

    /// Resource group in which identities are created
    #[arg(long, value_name = "NAME")]
    resource_group: String,

    /// Azure region of created identities
    #[arg(long, value_name = "REGION")]
    location: String,

    /// Resource group of the cluster's VMs and scale sets (MC_… on AKS)
    #[arg(long, value_name = "NAME")]
    node_resource_group: String,

    /// Object id of the kubelet's or control plane's identity, to grant it the roles below
    #[arg(long, value_name = "GUID")]
    node_principal: Option<String>,

    /// Where that identity gets Managed Identity Operator [default: Identity]
    #[arg(
        long, ignore_case = true, value_name = "WHERE", requires = "node_principal",
        value_parser = choice::<IdentityOperatorGrant>(&["Identity", "ResourceGroup", "Subscription", "None"])
    )]
    grant_identity_operator: Option<IdentityOperatorGrant>,

    /// Where it gets Virtual Machine Contributor [default: NodeResourceGroup]
    #[arg(
        long, ignore_case = true, value_name = "WHERE", requires = "node_principal",
        value_parser = choice::<MachineContributorGrant>(&["NodeResourceGroup", "None"])
    )]
    grant_vm_contributor: Option<MachineContributorGrant>,

    /// Name that profiles may write instead of an ARM id, as NAME=ARM-ID; it permits nothing; can be given again
    #[arg(long, value_name = "NAME=ARM-ID", value_parser = named)]
    scope: Vec<(String, String)>,

    /// Namespace whose profiles may use the class, `*` for all; can be given again
    #[arg(long, value_name = "NAMESPACE")]
    allow_namespace: Vec<String>,

    /// Role that a profile may ask for at or below a scope, as ROLE=SCOPE; can be given again
    #[arg(long, value_name = "ROLE=SCOPE", value_parser = access)]
    allow_access: Vec<AccessRule>,

    /// Resource group, as an ARM id, whose identities a profile may adopt; can be given again
    #[arg(long, value_name = "ARM-ID")]
    allow_identity_group: Vec<String>,

    /// Let profiles of several namespaces adopt one identity
    #[arg(long)]
    allow_shared_adoption: bool,

    /// Let profiles set netRaw to Audit or Ignore
    #[arg(long)]
    allow_net_raw: bool,

    /// Let AzureIdentities that were written by hand serve the identities of profiles
    #[arg(long)]
    allow_hand_written: bool,

    /// Let pods of the namespaces that it names or selects share the network and the processes of their node, with which
    /// they may get every identity of the node and tokens of other pods; without this they are refused. Exceptions for
    /// some of them are written into the file (neighbours.exceptNamespaces)
    #[arg(long)]
    allow_host_namespaces: bool,

    /// What becomes of what profiles have when a later edit of the class does not allow it any more [default: Keep]
    #[arg(
        long, ignore_case = true, value_name = "WHAT",
        value_parser = choice::<OnNarrowing>(&["Keep", "Revoke"])
    )]
    on_narrowing: Option<OnNarrowing>,

    #[command(flatten)]
    neighbours: NeighbourArgs,

    #[command(flatten)]
    pub(super) destination: DestinationArgs,
}

const EXAMPLES: &str = "\
Example:
  podid class create standard --cluster prod-1 --tenant GUID --subscription GUID \\
    --resource-group identities --location westeurope --node-resource-group MC_prod \\
    --allow-namespace payments \\
    --allow-access \"Key Vault Secrets User=/subscriptions/…/resourceGroups/vaults\"";

impl ClassArgs {
    /// The object, as it will be committed.
    pub(super) fn object(&self) -> serde_json::Result<Value> {
        document::manifest(
            "podid.dev/v1alpha1",
            "PodIdentityClass",
            json!({"name": self.name}),
            &self.spec(),
            &[
                ("cloud", "AzurePublicCloud"),
                ("defaultBackend", "NodeAssigned"),
            ],
        )
    }

    /// What its author should know about it.
    pub(super) fn notes(&self) -> Vec<String> {
        role_notes(&self.allow_access)
    }

    fn spec(&self) -> PodIdentityClassSpec {
        let (limits, scopes) = (self.limits(), self.scopes());
        PodIdentityClassSpec {
            cloud: self.cloud.unwrap_or_default(),
            cluster_name: self.cluster.clone(),
            tenant_id: self.tenant.clone(),
            subscription_id: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            location: self.location.clone(),
            node_resource_group: self.node_resource_group.clone(),
            default_backend: Default::default(),
            node_grants: self.node_principal.clone().map(|principal_id| NodeGrants {
                principal_id,
                managed_identity_operator: self.grant_identity_operator.unwrap_or_default(),
                virtual_machine_contributor: self.grant_vm_contributor.unwrap_or_default(),
            }),
            scopes: unless_empty(&scopes),
            neighbours: self.neighbours.field(),
            limits: (limits != ClassLimits::default()).then_some(limits),
        }
    }

    fn scopes(&self) -> Vec<NamedScope> {
        let scopes = self.scope.iter().cloned();
        scopes.map(|(name, id)| NamedScope { name, id }).collect()
    }

    fn limits(&self) -> ClassLimits {
        let namespaces = unless_empty(&self.allow_namespace).map(|names| NamespaceLimit {
            names: Some(names),
            match_labels: None,
        });
        ClassLimits {
            namespaces,
            access: unless_empty(&access_limits(&self.allow_access)),
            identity_groups: unless_empty(&self.allow_identity_group),
            allow_shared_adoption: self.allow_shared_adoption.then_some(true),
            backends: None,
            allow_net_raw: self.allow_net_raw.then_some(true),
            allow_hand_written: self.allow_hand_written.then_some(true),
            allow_host_namespaces: self.allow_host_namespaces.then_some(true),
            on_narrowing: self.on_narrowing,
            service_principals: None,
        }
    }
}
