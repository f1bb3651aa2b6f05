//! What Azure and the cluster hold once a profile has been made as desired, for a plan that is made without
//! asking them: an earlier version of the profile's file, or its status in the cluster, then stands for what there is.
//!
//! Ids that only Azure knows are placeholders. They differ where the real ones would differ, so that a plan
//! against them has the steps of the plan against the real ones.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::arm::ArmId;
use crate::names;
use crate::net_raw::NetRaw;
use crate::profile::desired::{Desired, Grant, Grantee};
use crate::profile::observed::{
    AzureIdentityFields, BindingFields, Child, ManagedIdentity, Observed, ProfileRecord,
    RecordedIdentity, RecordedRoleAssignment, RoleAssignment,
};
use crate::profile::plan::{Plan, Step};
use crate::profile::{CreationPolicy, Profile};
use crate::role::Role;

/// Client id of every identity that only Azure knows.
const CLIENT_ID: &str = "that Azure knows";

/// Uid of a profile that only the API server knows.
pub const UID: &str = "that the API server knows";

/// The identity under this id as it is expected to be in Azure.
#[must_use]
pub fn identity(desired: &Desired) -> ManagedIdentity {
    let wanted = &desired.identity;
    let adopted = wanted.creation == CreationPolicy::Adopt;
    ManagedIdentity {
        id: wanted.id.clone(),
        location: wanted.location.clone(),
        tags: if adopted {
            BTreeMap::new()
        } else {
            wanted.tags.clone()
        },
        client_id: CLIENT_ID.to_owned(),
        principal_id: format!("of identity {}", wanted.id),
        tenant_id: desired.tenant_id.clone(),
    }
}

/// What a plan for `new` is made from, after the same profile was made as in `old`.
#[must_use]
pub fn observed_after(old: &Desired, new: Option<&Desired>) -> Observed {
    observed_as_recorded(old, record(old, &identity(old)), new)
}

/// What a plan for `new` is made from, where the status of a profile that asks for `old` records what was made
/// for it. What no status tells (tags, location, the objects in the cluster) is taken to be as `old` asks.
#[must_use]
pub fn observed_as_recorded(
    old: &Desired,
    record: ProfileRecord,
    new: Option<&Desired>,
) -> Observed {
    let roles = role_guids(old, new);
    let Some(recorded) = &record.identity else {
        return Observed {
            roles,
            record,
            ..Observed::default()
        };
    };
    let made = recorded_identity(old, recorded);
    let is_same = new.is_none_or(|new| new.identity.id == made.id);
    let shared = shared_assignments(old).into_iter();
    let own = record.role_assignments.iter();
    let own = own.map(|recorded| recorded_assignment(old, recorded));
    Observed {
        role_assignments: shared.chain(own).collect(),
        roles,
        azure_identity: Some(own_azure_identity(recorded, old.net_raw)),
        binding: Some(own_child(BindingFields {
            identity: old.owner.profile.clone(),
            selector: old.binding.selector.clone(),
            service_accounts: old.binding.service_accounts.clone(),
        })),
        taken_by: None,
        former: (!is_same).then(|| made.clone()).into_iter().collect(),
        identity: is_same.then_some(made),
        record,
    }
}

/// What there is for a profile of which only the record is known, because its class does not allow what it asks for. The
/// objects in the cluster are taken to be as it asks.
#[must_use]
pub fn observed_by_record(profile: &Profile, record: ProfileRecord) -> Observed {
    let Some(made) = &record.identity else {
        return Observed {
            record,
            ..Observed::default()
        };
    };
    Observed {
        azure_identity: Some(own_azure_identity(made, profile.net_raw)),
        binding: Some(own_child(BindingFields {
            identity: profile.name.clone(),
            selector: profile.selector.clone(),
            service_accounts: profile.service_accounts.clone(),
        })),
        record,
        ..Observed::default()
    }
}

/// A recorded identity as it is expected to be in Azure.
fn recorded_identity(old: &Desired, recorded: &RecordedIdentity) -> ManagedIdentity {
    ManagedIdentity {
        id: recorded.id.clone(),
        client_id: recorded.client_id.clone(),
        principal_id: recorded.principal_id.clone(),
        tenant_id: recorded.tenant_id.clone(),
        ..identity(old)
    }
}

/// A recorded role assignment as it is expected to be in Azure.
fn recorded_assignment(old: &Desired, recorded: &RecordedRoleAssignment) -> RoleAssignment {
    RoleAssignment {
        id: recorded.id.clone(),
        scope: recorded.scope.clone(),
        role: guid(&Role::parse(&recorded.role)),
        principal_id: recorded.principal_id.clone(),
        description: recorded.created.then(|| old.owner.marker()),
    }
}

/// The role assignments that `old` has and that serve all profiles of its cluster.
#[must_use]
pub fn shared_assignments(old: &Desired) -> Vec<RoleAssignment> {
    let made = identity(old);
    let shared = old.grants.iter().filter(|grant| grant.shared);
    shared.map(|grant| assignment(grant, old, &made)).collect()
}

/// The plan with names instead of the placeholders for the GUIDs of roles that only Azure knows.
#[must_use]
pub fn with_role_names(plan: Plan, desired: &[&Desired]) -> Plan {
    let names = desired.iter().flat_map(|desired| role_names(desired));
    let names: BTreeMap<Uuid, String> = names.map(|name| (placeholder(&name), name)).collect();
    let named = |role: Role| match role.id().and_then(|id| names.get(&id)) {
        Some(name) => Role::Named(name.clone()),
        None => role,
    };
    let steps = plan.steps.into_iter().map(|step| match step {
        Step::GrantRole(mut grant) => {
            grant.role = named(grant.role);
            Step::GrantRole(grant)
        }
        Step::RevokeRole {
            assignment,
            role,
            scope,
            principal_id,
        } => Step::RevokeRole {
            assignment,
            role: named(role),
            scope,
            principal_id,
        },
        other => other,
    });
    Plan {
        steps: steps.collect(),
        held: plan.held,
    }
}

/// The AzureIdentity for an identity that was made, as a profile wants it.
fn own_azure_identity(made: &RecordedIdentity, net_raw: NetRaw) -> Child<AzureIdentityFields> {
    own_child(AzureIdentityFields {
        resource_id: made.id.clone(),
        client_id: made.client_id.clone(),
        principal_id: Some(made.principal_id.clone()),
        namespaced: true,
        net_raw,
        former: BTreeMap::new(),
    })
}

fn own_child<T>(object: T) -> Child<T> {
    Child {
        owned: true,
        applied_by: None,
        object,
    }
}

fn record(old: &Desired, made: &ManagedIdentity) -> ProfileRecord {
    let own = old.grants.iter().filter(|grant| !grant.shared);
    let role_assignments = own.map(|grant| {
        let RoleAssignment {
            id,
            scope,
            principal_id,
            ..
        } = assignment(grant, old, made);
        RecordedRoleAssignment {
            id,
            role: grant.role.to_string(),
            scope,
            principal_id,
            created: true,
        }
    });
    ProfileRecord {
        identity: Some(RecordedIdentity {
            id: made.id.clone(),
            client_id: made.client_id.clone(),
            principal_id: made.principal_id.clone(),
            tenant_id: made.tenant_id.clone(),
            created: old.identity.creation != CreationPolicy::Adopt,
        }),
        creating: BTreeSet::new(),
        role_assignments: role_assignments.collect(),
    }
}

fn assignment(grant: &Grant, old: &Desired, made: &ManagedIdentity) -> RoleAssignment {
    let (principal_id, description) = match &grant.to {
        Grantee::Identity => (made.principal_id.clone(), old.owner.marker()),
        Grantee::Kubelet(principal) if grant.shared => {
            (principal.clone(), old.owner.cluster_marker())
        }
        Grantee::Kubelet(principal) => (principal.clone(), old.owner.marker()),
    };
    let role = guid(&grant.role);
    let name = names::role_assignment(&grant.scope, &role, &principal_id);
    let scope = &grant.scope;
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    RoleAssignment {
        id: ArmId::new(id),
        scope: scope.clone(),
        role,
        principal_id,
        description: Some(description),
    }
}

fn role_guids(old: &Desired, new: Option<&Desired>) -> BTreeMap<String, Option<Uuid>> {
    let names = role_names(old).into_iter();
    let names = names.chain(new.map(role_names).into_iter().flatten());
    names
        .map(|name| (name.to_ascii_lowercase(), Some(placeholder(&name))))
        .collect()
}

fn role_names(desired: &Desired) -> BTreeSet<String> {
    let named = desired.grants.iter().filter_map(|grant| match &grant.role {
        Role::Named(name) => Some(name.clone()),
        Role::Known(_) => None,
    });
    named.collect()
}

fn guid(role: &Role) -> Uuid {
    match role {
        Role::Known(id) => *id,
        Role::Named(name) => placeholder(name),
    }
}

/// A GUID for a role that only Azure knows, equal for equal names.
fn placeholder(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests;
