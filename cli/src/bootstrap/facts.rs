//! The facts of a cluster, from flags and files.

use super::aks::{self, AksCluster, AksFileError};
use super::args::FactArgs;

/// A cluster, as podid needs to know it.
#[derive(Clone, Debug)]
pub(super) struct ClusterFacts {
    /// Name, unique in the subscription.
    pub(super) cluster: String,
    /// Microsoft Entra tenant, a GUID.
    pub(super) tenant: String,
    /// Subscription of identities, a GUID.
    pub(super) subscription: String,
    /// Resource group of identities.
    pub(super) resource_group: String,
    /// Resource group of VMs and scale sets.
    pub(super) node_resource_group: String,
    /// Short name of a region.
    pub(super) location: String,
    /// Object id of the kubelet identity.
    pub(super) node_principal: Option<String>,
    /// Issuer of the cluster's service account tokens.
    pub(super) oidc_issuer: Option<String>,
}

/// Why the facts are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FactError {
    #[error(transparent)]
    File(#[from] AksFileError),
    #[error("give {flag}, or the cluster by --from-aks with the output of `az aks show`")]
    Unknown { flag: &'static str },
    #[error(
        "the tenant is not known: give --tenant, or --account with the output of `az account show`"
    )]
    NoTenant,
}

/// Gathers the facts; what a flag says goes before what a file says.
pub(super) fn gather(args: &FactArgs) -> Result<ClusterFacts, FactError> {
    let aks = args.from_aks.as_deref().map(aks::cluster).transpose()?;
    let pick = |flag: &'static str, given: &Option<String>, of: fn(&AksCluster) -> &String| {
        let found = given.clone().or_else(|| aks.as_ref().map(of).cloned());
        found.ok_or(FactError::Unknown { flag })
    };
    Ok(ClusterFacts {
        cluster: pick("--cluster", &args.cluster, |aks| &aks.name)?,
        tenant: tenant(args, aks.as_ref())?,
        subscription: pick("--subscription", &args.subscription, |aks| {
            &aks.subscription
        })?,
        resource_group: pick("--resource-group", &args.resource_group, |aks| {
            &aks.resource_group
        })?,
        node_resource_group: pick("--node-resource-group", &args.node_resource_group, |aks| {
            &aks.node_resource_group
        })?,
        location: pick("--location", &args.location, |aks| &aks.location)?,
        node_principal: args
            .node_principal
            .clone()
            .or_else(|| aks.as_ref()?.kubelet_object_id.clone()),
        oidc_issuer: aks.and_then(|aks| aks.oidc_issuer),
    })
}

fn tenant(args: &FactArgs, aks: Option<&AksCluster>) -> Result<String, FactError> {
    if let Some(tenant) = &args.tenant {
        return Ok(tenant.clone());
    }
    if let Some(account) = &args.account {
        return Ok(aks::tenant(account)?);
    }
    aks.and_then(|aks| aks.tenant.clone())
        .ok_or(FactError::NoTenant)
}
