//! Reads: what Azure and the cluster hold for one profile.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use podid_azure::{ErrorClass, UserAssignedIdentity};
use podid_core::arm::ArmId;
use podid_core::profile::desired::{Grant, Grantee};
use podid_core::profile::observed::{ManagedIdentity, Observed, ProfileRecord, RoleAssignment};
use podid_core::role::Role;
use uuid::Uuid;

use super::error::{Cause, Failure, Stage};
use super::{Context, children};
use crate::azure;

/// How many lists of role assignments are read at once for one profile.
const LISTS: usize = 4;

/// What is to be looked at.
#[derive(Debug)]
pub(super) struct Interest<'a> {
    /// The profile, by which its children are known.
    pub(super) profile: &'a podid_crds::podid::PodIdentityProfile,
    /// The identity it means; `None` when nothing can be said of it.
    pub(super) identity: Option<&'a ArmId>,
    /// Roles it comes to.
    pub(super) grants: &'a [Grant],
    /// What is remembered.
    pub(super) record: ProfileRecord,
}

/// Looks at everything a plan is made from.
pub(super) async fn observe(
    interest: Interest<'_>,
    context: &Context,
) -> Result<Observed, Failure> {
    let children = children::observe(interest.profile, &context.client).await?;
    let identity = match interest.identity {
        Some(id) => identity(id, context)
            .await
            .map_err(|cause| Stage::Identity.failed(cause))?,
        None => None,
    };
    let former = former(&interest, context)
        .await
        .map_err(|cause| Stage::Identity.failed(cause))?;
    let in_access = |cause: Cause| Stage::Access.failed(cause);
    let roles = named_roles(interest.grants, context)
        .await
        .map_err(in_access)?;
    let questions = questions(identity.as_ref(), interest.grants, &interest.record);
    let assignments = assignments(questions, context).await.map_err(in_access)?;
    Ok(Observed {
        identity,
        former,
        assignments,
        roles,
        azure_identity: children.identity,
        binding: children.binding,
        record: interest.record,
    })
}

pub(super) async fn identity(
    id: &ArmId,
    context: &Context,
) -> Result<Option<ManagedIdentity>, Cause> {
    let parsed = azure::identity_id(id).ok_or_else(|| Cause::NotAnIdentity(id.clone()))?;
    let found = context.azure.identities.get(&parsed).await?;
    Ok(found.map(|found| seen(id, found)))
}

/// The identity that podid made before the profile meant another. One that cannot be read, since
/// its subscription is gone or the operator's rights there, holds up nothing: it counts as not
/// shown, and is read once more before it is deleted.
async fn former(
    interest: &Interest<'_>,
    context: &Context,
) -> Result<Option<ManagedIdentity>, Cause> {
    let recorded = interest.record.identity.as_ref();
    let former = recorded.filter(|it| it.created && Some(&it.id) != interest.identity);
    let Some(former) = former else {
        return Ok(None);
    };
    match identity(&former.id, context).await {
        Err(Cause::Azure(error))
            if error.class() == ErrorClass::Forbidden
                || error.code() == Some("SubscriptionNotFound") =>
        {
            Ok(None)
        }
        read => read,
    }
}

/// An identity in the words of `core`; the id stays as it was asked for.
pub(super) fn seen(id: &ArmId, found: UserAssignedIdentity) -> ManagedIdentity {
    ManagedIdentity {
        id: id.clone(),
        location: found.location,
        tags: found.tags,
        client_id: found.client_id,
        principal_id: found.principal_id,
        tenant_id: found.tenant_id,
    }
}

async fn named_roles(
    grants: &[Grant],
    context: &Context,
) -> Result<BTreeMap<String, Option<Uuid>>, Cause> {
    let mut names: BTreeMap<String, (&str, &ArmId)> = BTreeMap::new();
    for grant in grants {
        if let Role::Named(name) = &grant.role {
            names
                .entry(name.to_ascii_lowercase())
                .or_insert((name, &grant.scope));
        }
    }
    let mut roles = BTreeMap::new();
    for (key, (name, scope)) in names {
        roles.insert(key, role_id(name, scope, context).await?);
    }
    Ok(roles)
}

/// GUID of the role of this name, if there is one.
pub(super) async fn role_id(
    name: &str,
    scope: &ArmId,
    context: &Context,
) -> Result<Option<Uuid>, Cause> {
    let found = context
        .azure
        .roles
        .role_definition_by_name(scope.as_str(), name)
        .await?;
    Ok(found.and_then(|role| Role::parse(&role.id).id()))
}

/// Whose assignments to list, and where: at the scopes that the desire or the record name. A scope
/// below another is left out, since a list reaches down. Listing a whole subscription instead
/// would ask for more rights than the operator needs.
fn questions(
    identity: Option<&ManagedIdentity>,
    grants: &[Grant],
    record: &ProfileRecord,
) -> BTreeSet<(String, ArmId)> {
    let principal_of = |grant: &Grant| match &grant.to {
        Grantee::Identity => identity.map(|identity| identity.principal_id.clone()),
        Grantee::Kubelet(principal) => Some(principal.clone()),
    };
    let wanted = grants
        .iter()
        .filter_map(|grant| Some((principal_of(grant)?, grant.scope.clone())));
    let recorded = record
        .assignments
        .iter()
        .map(|a| (a.principal_id.clone(), a.scope.clone()));
    let all: BTreeSet<(String, ArmId)> = wanted
        .chain(recorded)
        .map(|(principal, scope)| (principal.to_ascii_lowercase(), scope))
        .collect();
    let below_another = |(principal, scope): &&(String, ArmId)| {
        all.iter()
            .any(|(other, over)| other == principal && over != scope && over.covers(scope))
    };
    all.iter()
        .filter(|question| !below_another(question))
        .cloned()
        .collect()
}

async fn assignments(
    questions: BTreeSet<(String, ArmId)>,
    context: &Context,
) -> Result<Vec<RoleAssignment>, Cause> {
    let roles = &context.azure.roles;
    let lists: Vec<Vec<podid_azure::RoleAssignment>> = stream::iter(questions)
        .map(|(principal, scope)| async move {
            roles.list_for_principal(scope.as_str(), &principal).await
        })
        .buffered(LISTS)
        .try_collect()
        .await?;
    let found = lists.into_iter().flatten().filter_map(assignment);
    let each_once: BTreeMap<ArmId, RoleAssignment> = found
        .map(|assignment| (assignment.id.clone(), assignment))
        .collect();
    Ok(each_once.into_values().collect())
}

/// An assignment in the words of `core`; `None` for one whose role is no GUID, which Azure does
/// not make.
pub(super) fn assignment(found: podid_azure::RoleAssignment) -> Option<RoleAssignment> {
    Some(RoleAssignment {
        role: Role::parse(&found.role_definition_id).id()?,
        id: ArmId::new(found.id),
        scope: ArmId::new(found.scope),
        principal_id: found.principal_id,
        description: found.description,
    })
}

#[cfg(test)]
mod tests {
    use podid_core::profile::observed::RecordedRoleAssignment;

    use super::*;

    #[test]
    fn each_principal_is_asked_about_once_a_branch() {
        let grant = |scope: &str, to| Grant {
            role: Role::parse("Reader"),
            scope: ArmId::new(scope),
            to,
            shared: false,
            field: String::new(),
        };
        let group = "/subscriptions/s/resourceGroups/g";
        let grants = [
            grant(group, Grantee::Kubelet("M".into())),
            grant(
                &format!("{group}/providers/x"),
                Grantee::Kubelet("m".into()),
            ),
            grant("/subscriptions/s", Grantee::Identity),
        ];
        let gone = RecordedRoleAssignment {
            id: ArmId::new("/a"),
            role: "Reader".into(),
            scope: ArmId::new(group),
            principal_id: "gone".into(),
            created: true,
        };
        let record = ProfileRecord {
            identity: None,
            assignments: vec![gone],
        };
        let asked = questions(None, &grants, &record);
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(principal, scope)| (principal.as_str(), scope.as_str()))
            .collect();
        assert_eq!(
            asked,
            [("gone", group), ("m", group)],
            "no principal, no question"
        );
    }
}
