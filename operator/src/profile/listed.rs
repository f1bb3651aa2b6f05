//! What a profile is compared with when it is only looked at again: what the shared lists show of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use podid_azure::ResourceGroupId;
use podid_core::arm::ArmId;
use podid_core::condition::SubCondition;
use podid_core::net_raw::NetRaw;
use podid_core::policy::for_bound_pods;
use podid_core::profile::desired::{Desired, Grant};
use podid_core::profile::observed::{ManagedIdentity, Observed, ProfileRecord, RoleAssignment};
use podid_core::profile::reads::{
    assignment_lists, former_identities, list_scope, of_principal, role_names,
};
use podid_crds::podid::PodIdentityProfile;
use uuid::Uuid;

use super::{ProfileContext, children, enforcement, observe};

/// `EnforcementReady` as far as the policy goes.
pub(super) async fn policy(net_raw: NetRaw, context: &ProfileContext) -> Option<SubCondition> {
    let ask = async { Some(enforcement::policy(net_raw, context).await) };
    let policy = for_bound_pods(net_raw).map(|policy| policy.name);
    context.lists.0.policies.get(&policy, ask).await
}

/// Everything that a plan is made from; `None` when a list cannot be had, or does not show what is needed.
pub(super) async fn observe(
    profile: &PodIdentityProfile,
    desired: &Desired,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Option<Observed> {
    let is_wanted = Some(&desired.identity.id);
    if former_identities(&record, is_wanted).next().is_some() {
        return None;
    }
    let identity = identity(&desired.identity.id, context).await?;
    let roles = named_roles(&desired.grants, context).await?;
    let lists = assignment_lists(identity.as_ref(), &desired.grants, &record);
    let role_assignments = role_assignments(lists, context).await?;
    let children = children::watched(profile, &context.children);
    Some(Observed {
        identity,
        former: Vec::new(),
        taken_by: None,
        role_assignments,
        roles,
        azure_identity: children.azure_identity,
        binding: children.binding,
        record,
    })
}

async fn identity(id: &ArmId, context: &ProfileContext) -> Option<Option<ManagedIdentity>> {
    let group = id.group()?;
    let listed = context
        .lists
        .0
        .identities
        .get(&group, list_identities(&group, context))
        .await?;
    let found = listed.iter().find(|identity| identity.id == *id);
    // The id stays as it was asked for.
    Some(found.map(|found| ManagedIdentity {
        id: id.clone(),
        ..found.clone()
    }))
}

async fn named_roles(
    grants: &[Grant],
    context: &ProfileContext,
) -> Option<BTreeMap<String, Option<Uuid>>> {
    let mut roles = BTreeMap::new();
    for (key, (name, scope)) in role_names(grants) {
        let ask = async { observe::role_id(name, scope, context).await.ok() };
        let asked = (key.clone(), scope.clone());
        roles.insert(key, context.lists.0.roles.get(&asked, ask).await?);
    }
    Some(roles)
}

async fn role_assignments(
    lists: BTreeSet<(String, ArmId)>,
    context: &ProfileContext,
) -> Option<Vec<RoleAssignment>> {
    let mut each_once = BTreeMap::new();
    for (principal, scope) in &lists {
        let at = list_scope(scope)?;
        let ask = list_role_assignments(&at, context);
        let listed = context.lists.0.role_assignments.get(&at, ask).await?;
        let found = of_principal(&listed, principal, scope);
        each_once.extend(found.map(|found| (found.id.clone(), found.clone())));
    }
    Some(each_once.into_values().collect())
}

async fn list_identities(
    group: &ArmId,
    context: &ProfileContext,
) -> Option<Arc<Vec<ManagedIdentity>>> {
    let group_id = ResourceGroupId::new(group.subscription()?, group.resource_group()?);
    let listed = context.azure.identities.list_by_group(&group_id).await;
    let listed = listed.inspect_err(|error| not_listed(group, error)).ok()?;
    let listed = listed
        .into_iter()
        .map(|found| observe::core_identity(&ArmId::new(found.id.to_string()), found));
    Some(Arc::new(listed.collect()))
}

async fn list_role_assignments(
    scope: &ArmId,
    context: &ProfileContext,
) -> Option<Arc<Vec<RoleAssignment>>> {
    let listed = context.azure.roles.list(scope.as_str()).await;
    let listed = listed.inspect_err(|error| not_listed(scope, error)).ok()?;
    let listed = listed.into_iter().filter_map(observe::core_assignment);
    Some(Arc::new(listed.collect()))
}

/// No failure: profiles are then read by themselves, and say what is missing.
fn not_listed(scope: &ArmId, error: &podid_azure::AzureError) {
    let error = error as &dyn std::error::Error;
    tracing::debug!(%scope, error, "not listed for all profiles; each is read by itself");
}
