//! Reads: what Azure and the cluster hold for one profile.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use podid_azure::UserAssignedIdentity;
use podid_core::arm::ArmId;
use podid_core::profile::ConditionType;
use podid_core::profile::desired::Grant;
use podid_core::profile::observed::{ManagedIdentity, Observed, ProfileRecord, RoleAssignment};
use podid_core::profile::reads::{assignment_lists, former_identities, role_names};
use podid_core::role::Role;
use uuid::Uuid;

use super::error::{ErrorCause, StepError};
use super::{ProfileContext, children};
use crate::azure;
use crate::azure_error::call_failure;

/// How many lists of role assignments are read at once for one profile.
const LISTS: usize = 4;

/// What is to be read.
#[derive(Debug)]
pub(super) struct ReadScope<'a> {
    /// The profile, by which its children are known.
    pub(super) profile: &'a podid_crds::podid::PodIdentityProfile,
    /// The identity that it names; `None` when its id is not known.
    pub(super) identity: Option<&'a ArmId>,
    /// Roles that it asks for, directly or through its class.
    pub(super) grants: &'a [Grant],
    /// What is remembered.
    pub(super) record: ProfileRecord,
}

/// Reads everything that a plan is made from.
pub(super) async fn observe(
    scope: ReadScope<'_>,
    context: &ProfileContext,
) -> Result<Observed, StepError> {
    let in_identity = |cause: ErrorCause| cause.at(ConditionType::IdentityReady);
    let in_access = |cause: ErrorCause| cause.at(ConditionType::AccessReady);
    let in_binding = |cause: ErrorCause| cause.at(ConditionType::BindingReady);
    let children = children::observe(scope.profile, &context.client).await;
    let children = children.map_err(in_binding)?;
    let identity = match scope.identity {
        Some(id) => identity(id, context).await.map_err(in_identity)?,
        None => None,
    };
    let former = former(&scope, context).await.map_err(in_identity)?;
    let roles = named_roles(scope.grants, context).await;
    let roles = roles.map_err(in_access)?;
    let lists = assignment_lists(identity.as_ref(), scope.grants, &scope.record);
    let role_assignments = role_assignments(lists, context).await.map_err(in_access)?;
    Ok(Observed {
        identity,
        former,
        taken_by: None,
        role_assignments,
        roles,
        azure_identity: children.azure_identity,
        binding: children.binding,
        record: scope.record,
    })
}

pub(super) async fn identity(
    id: &ArmId,
    context: &ProfileContext,
) -> Result<Option<ManagedIdentity>, ErrorCause> {
    let parsed = azure::identity_id(id).ok_or_else(|| ErrorCause::NotAnIdentity(id.clone()))?;
    let found = context.azure.identities.get(&parsed).await?;
    Ok(found.map(|found| core_identity(id, found)))
}

/// The identities that podid made before the profile named another. One that Azure refuses to show,
/// since its subscription is gone or the operator's rights there, holds up nothing: it counts as not
/// shown, and is read once more before it is deleted.
async fn former(
    scope: &ReadScope<'_>,
    context: &ProfileContext,
) -> Result<Vec<ManagedIdentity>, ErrorCause> {
    let mut shown = Vec::new();
    for id in former_identities(&scope.record, scope.identity) {
        match identity(id, context).await {
            Err(ErrorCause::Azure(error)) if call_failure(&error).is_hidden() => {}
            read => shown.extend(read?),
        }
    }
    Ok(shown)
}

/// An identity in the words of `core`; the id stays as it was asked for.
pub(super) fn core_identity(id: &ArmId, found: UserAssignedIdentity) -> ManagedIdentity {
    ManagedIdentity {
        id: id.clone(),
        location: found.location,
        tags: found.tags,
        client_id: found.client_id,
        principal_id: found.principal_id,
        tenant_id: found.tenant_id,
    }
}

/// GUIDs of the roles of these grants that only Azure knows, by name in lower case.
pub(super) async fn named_roles(
    grants: &[Grant],
    context: &ProfileContext,
) -> Result<BTreeMap<String, Option<Uuid>>, ErrorCause> {
    let mut roles = BTreeMap::new();
    for (key, (name, scope)) in role_names(grants) {
        roles.insert(key, role_id(name, scope, context).await?);
    }
    Ok(roles)
}

/// GUID of the role of this name, if there is one.
pub(super) async fn role_id(
    name: &str,
    scope: &ArmId,
    context: &ProfileContext,
) -> Result<Option<Uuid>, ErrorCause> {
    let found = context
        .azure
        .roles
        .role_definition_by_name(scope.as_str(), name)
        .await?;
    Ok(found.and_then(|role| Role::parse(&role.id).id()))
}

pub(super) async fn role_assignments(
    lists: BTreeSet<(String, ArmId)>,
    context: &ProfileContext,
) -> Result<Vec<RoleAssignment>, ErrorCause> {
    let roles = &context.azure.roles;
    let listed: Vec<Vec<podid_azure::RoleAssignment>> = stream::iter(lists)
        .map(|(principal, scope)| async move {
            roles.list_for_principal(scope.as_str(), &principal).await
        })
        .buffered(LISTS)
        .try_collect()
        .await?;
    let found = listed.into_iter().flatten().filter_map(core_assignment);
    let each_once: BTreeMap<ArmId, RoleAssignment> = found
        .map(|assignment| (assignment.id.clone(), assignment))
        .collect();
    Ok(each_once.into_values().collect())
}

/// An assignment in the words of `core`; `None` for one whose role is no GUID, which Azure does
/// not make.
pub(super) fn core_assignment(found: podid_azure::RoleAssignment) -> Option<RoleAssignment> {
    Some(RoleAssignment {
        role: Role::parse(&found.role_definition_id).id()?,
        id: ArmId::new(found.id),
        scope: ArmId::new(found.scope),
        principal_id: found.principal_id,
        description: found.description,
    })
}
