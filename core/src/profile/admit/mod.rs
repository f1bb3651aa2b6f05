//! Whether a profile stays within the limits of its class, decided before any call to Azure.
//!
//! Limits deny by default: what a class does not list, its profiles do not get.

mod limits;

pub(in crate::profile) use limits::{allows_role, excess};

use std::collections::BTreeMap;

use crate::arm::{ArmId, ManagedIdentityId};
use crate::backend::Backend;
use crate::class::{Class, IdentityOperatorGrant, MachineContributorGrant, Violation};
use crate::names;
use crate::owner::Owner;
use crate::profile::Profile;
use crate::profile::desired::{Desired, DesiredBinding, DesiredIdentity, Grant, Grantee};
use crate::role::{MANAGED_IDENTITY_OPERATOR, Role, VIRTUAL_MACHINE_CONTRIBUTOR};

/// The desired state of the profile, if its class allows all of it.
///
/// # Errors
///
/// Every violation, in the order of the profile's fields; never an empty list.
pub fn admit(profile: &Profile, class: &Class) -> Result<Desired, Vec<Violation>> {
    let violations = limits::violations(profile, class);
    if violations.is_empty() {
        Ok(desired(profile, class))
    } else {
        Err(violations)
    }
}

/// The profile, as the owner of what is made for it.
pub(in crate::profile) fn owner(profile: &Profile, class: &Class) -> Owner {
    Owner {
        cluster: class.cluster_name.clone(),
        namespace: profile.namespace.clone(),
        profile: profile.name.clone(),
        uid: profile.uid.clone(),
    }
}

fn desired(profile: &Profile, class: &Class) -> Desired {
    let owner = owner(profile, class);
    let id = identity_id(profile, class);
    let backend = profile.backend.unwrap_or(class.default_backend);
    Desired {
        tenant_id: class.tenant_id.clone(),
        grants: grants(profile, class, &id, backend),
        identity: DesiredIdentity {
            id,
            location: class.location.clone(),
            tags: tags(profile, &owner),
            creation: profile.creation_policy,
            shared: class.limits.allow_shared_adoption,
        },
        binding: DesiredBinding {
            selector: profile.selector.clone(),
            service_accounts: profile.service_accounts.clone(),
        },
        backend,
        net_raw: profile.net_raw,
        drift: profile.drift,
        deletion_policy: profile.deletion_policy,
        owner,
    }
}

/// ARM id of the profile's identity: the one it names, or one in the class's group.
#[must_use]
pub fn identity_id(profile: &Profile, class: &Class) -> ArmId {
    if let Some(id) = &profile.identity_id {
        return id.clone();
    }
    let derived = || names::identity(&class.cluster_name, &profile.namespace, &profile.name);
    let id = ManagedIdentityId {
        subscription: class.subscription_id.clone(),
        group: class.resource_group.clone(),
        name: profile.identity_name.clone().unwrap_or_else(derived),
    };
    id.arm_id()
}

fn tags(profile: &Profile, owner: &Owner) -> BTreeMap<String, String> {
    let mut tags = profile.tags.clone();
    tags.extend(owner.tags());
    tags
}

fn grants(profile: &Profile, class: &Class, identity: &ArmId, backend: Backend) -> Vec<Grant> {
    let mut grants: Vec<Grant> = Vec::new();
    for (index, access) in profile.access.iter().enumerate() {
        // An unknown name was refused.
        let Some(scope) = class.scope_id(&access.scope) else {
            continue;
        };
        let grant = Grant {
            role: Role::parse(&access.role),
            scope: scope.clone(),
            to: Grantee::Identity,
            shared: false,
            field: format!("spec.access[{index}]"),
        };
        let twice = |other: &Grant| other.role.is(&grant.role) && other.scope == grant.scope;
        if !grants.iter().any(twice) {
            grants.push(grant);
        }
    }
    match backend {
        Backend::NodeAssigned => grants.extend(kubelet_grants(class, identity)),
    }
    grants
}

/// The roles that a class grants the kubelet identity for all its profiles.
pub(in crate::profile) fn shared_grants(class: &Class) -> Vec<Grant> {
    // The others are on the identity of a profile.
    let mut grants = kubelet_grants(class, &class.group_id());
    grants.retain(|grant| grant.shared);
    grants
}

/// What the kubelet identity needs so that VMs and scale sets may have the profile's identity.
fn kubelet_grants(class: &Class, identity: &ArmId) -> Vec<Grant> {
    let Some(wanted) = &class.node_grants else {
        return Vec::new();
    };
    let grant = |role, scope, shared, field: &str| Grant {
        role: Role::parse(role),
        scope,
        to: Grantee::Kubelet(wanted.principal_id.clone()),
        shared,
        field: format!("class.spec.nodeGrants.{field}"),
    };
    let operator = |scope, shared| {
        let field = "managedIdentityOperator";
        Some(grant(MANAGED_IDENTITY_OPERATOR, scope, shared, field))
    };
    let on_identities = match wanted.identity_operator {
        IdentityOperatorGrant::Identity => operator(identity.clone(), false),
        IdentityOperatorGrant::ResourceGroup => operator(class.group_id(), true),
        IdentityOperatorGrant::Subscription => operator(class.subscription(), true),
        IdentityOperatorGrant::None => None,
    };
    let contributor = "virtualMachineContributor";
    let on_node_group = match wanted.machine_contributor {
        MachineContributorGrant::NodeResourceGroup => Some(grant(
            VIRTUAL_MACHINE_CONTRIBUTOR,
            class.node_group_id(),
            true,
            contributor,
        )),
        MachineContributorGrant::None => None,
    };
    on_identities.into_iter().chain(on_node_group).collect()
}

#[cfg(test)]
pub(crate) mod tests;
