use uuid::Uuid;

use crate::arm::ArmId;
use crate::names;
use crate::owner::Owner;
use crate::profile::desired::{Desired, Grant, Grantee};
use crate::profile::observed::{Observed, ProfileRecord, RecordedRoleAssignment, RoleAssignment};
use crate::profile::plan::refusal::PlanRefusal;
use crate::profile::plan::step::{RoleGrant, Step};
use crate::role::Role;

/// The role assignments of a plan.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) grants: Vec<Step>,
    pub(super) revokes: Vec<Step>,
    pub(super) held: Vec<RecordedRoleAssignment>,
    pub(super) refusals: Vec<PlanRefusal>,
}

/// The roles to grant and to revoke, and the role assignments that are as desired.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Roles {
    let mut roles = Roles::default();
    for grant in &desired.grants {
        let role = match resolve(grant, observed) {
            Ok(role) => role,
            Err(refusal) => {
                roles.refusals.push(refusal);
                continue;
            }
        };
        match find(grant, &role, observed) {
            Some(_) if grant.shared => {}
            Some(found) => roles.held.push(recorded(found, &role, desired, observed)),
            None => roles.grants.push(step(grant, role, &desired.owner)),
        }
    }
    let former = former_principal(desired, observed);
    roles.revokes = surplus(desired, observed);
    roles.revokes.retain(|step| !is_from(step, former));
    roles
}

/// Revokes the roles of the identity that the profile used before.
pub(super) fn revoke_former(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let former = former_principal(desired, observed);
    let mut revokes = surplus(desired, observed);
    revokes.retain(|step| is_from(step, former));
    revokes
}

/// Revokes every role that podid granted for this owner.
pub(super) fn revoke_all(owner: &Owner, observed: &Observed) -> Vec<Step> {
    revoke_but(owner, observed, &[])
}

/// Revokes these shared roles of the kubelet identity, as far as podid granted them in the owner's cluster: by the name and
/// the description that only podid gives.
pub(super) fn revoke_shared(owner: &Owner, grants: &[Grant], observed: &Observed) -> Vec<Step> {
    let found = grants
        .iter()
        .filter_map(|grant| find(grant, &grant.role, observed));
    let ours = found.filter(|it| {
        it.description.as_ref() == Some(&owner.cluster_marker()) && has_derived_name(it)
    });
    ours.map(revoke).collect()
}

/// Whether podid made the assignment for this owner: the record has it, or it has both the name and the
/// description that only podid gives. Any other is somebody else's.
#[must_use]
pub fn is_ours(assignment: &RoleAssignment, owner: &Owner, record: &ProfileRecord) -> bool {
    record.made(&assignment.id)
        || (assignment.description.as_ref() == Some(&owner.marker())
            && has_derived_name(assignment))
}

/// Whether the assignment has the name that podid gives it.
fn has_derived_name(assignment: &RoleAssignment) -> bool {
    let name = names::role_assignment(
        &assignment.scope,
        &assignment.role,
        &assignment.principal_id,
    );
    assignment.id.name().eq_ignore_ascii_case(&name.to_string())
}

fn revoke(assignment: &RoleAssignment) -> Step {
    Step::RevokeRole {
        assignment: assignment.id.clone(),
        role: Role::Known(assignment.role),
        scope: assignment.scope.clone(),
        principal_id: assignment.principal_id.clone(),
    }
}

/// The role of a grant with the GUID that Azure has for its name; unchanged if the name was not looked up.
fn resolve(grant: &Grant, observed: &Observed) -> Result<Role, PlanRefusal> {
    let Role::Named(name) = &grant.role else {
        return Ok(grant.role.clone());
    };
    match observed.roles.get(&name.to_ascii_lowercase()) {
        Some(Some(id)) => Ok(Role::Known(*id)),
        Some(None) => Err(PlanRefusal::UnknownRole {
            field: grant.field.clone(),
            role: name.clone(),
            scope: grant.scope.clone(),
        }),
        None => Ok(grant.role.clone()),
    }
}

fn step(grant: &Grant, role: Role, owner: &Owner) -> Step {
    let description = if grant.shared {
        owner.cluster_marker()
    } else {
        owner.marker()
    };
    let access = RoleGrant {
        role,
        scope: grant.scope.clone(),
        to: grant.to.clone(),
        description,
    };
    match grant.to {
        Grantee::Identity => Step::GrantRole(access),
        Grantee::Kubelet(_) => Step::GrantNodeRole(access),
    }
}

fn find<'a>(grant: &Grant, role: &Role, observed: &'a Observed) -> Option<&'a RoleAssignment> {
    let role = role.id()?;
    let principal = principal(grant, observed)?;
    observed.role_assignments.iter().find(|assignment| {
        assignment.role == role
            && assignment.scope == grant.scope
            && assignment.principal_id.eq_ignore_ascii_case(principal)
    })
}

fn principal<'a>(grant: &'a Grant, observed: &'a Observed) -> Option<&'a str> {
    match &grant.to {
        Grantee::Identity => observed
            .identity
            .as_ref()
            .map(|found| found.principal_id.as_str()),
        Grantee::Kubelet(principal) => Some(principal),
    }
}

fn recorded(
    found: &RoleAssignment,
    role: &Role,
    desired: &Desired,
    observed: &Observed,
) -> RecordedRoleAssignment {
    RecordedRoleAssignment {
        id: found.id.clone(),
        role: role.to_string(),
        scope: found.scope.clone(),
        principal_id: found.principal_id.clone(),
        created: is_ours(found, &desired.owner, &observed.record),
    }
}

/// What a role assignment grants: scope, role, principal in lower case.
type Fact = (ArmId, Uuid, String);

/// Revokes the role assignments of podid that are not desired any more. Where Azure does not show the
/// identity, it may be too new to be shown. So role assignments of the recorded principal stay until
/// Azure shows the identity.
fn surplus(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let recorded = observed.record.identity.as_ref();
    let recorded = recorded.filter(|recorded| recorded.id == desired.identity.id);
    let recorded = recorded.map(|recorded| recorded.principal_id.as_str());
    let mut wanted: Vec<Fact> = Vec::new();
    for grant in &desired.grants {
        let role = resolve(grant, observed).ok().and_then(|role| role.id());
        let principal = principal(grant, observed).or(recorded);
        let fact = role.zip(principal);
        wanted.extend(fact.map(|(role, id)| (grant.scope.clone(), role, id.to_lowercase())));
    }
    revoke_but(&desired.owner, observed, &wanted)
}

fn revoke_but(owner: &Owner, observed: &Observed, wanted: &[Fact]) -> Vec<Step> {
    let is_wanted = |assignment: &RoleAssignment| {
        let principal = assignment.principal_id.to_lowercase();
        wanted.contains(&(assignment.scope.clone(), assignment.role, principal))
    };
    let seen = observed
        .role_assignments
        .iter()
        .filter(|assignment| is_ours(assignment, owner, &observed.record) && !is_wanted(assignment))
        .map(revoke);
    seen.chain(unseen(observed, wanted)).collect()
}

/// Revokes recorded role assignments that Azure does not list (yet). To revoke one that does not exist has
/// no effect.
fn unseen<'a>(observed: &'a Observed, wanted: &'a [Fact]) -> impl Iterator<Item = Step> + 'a {
    let is_wanted = |entry: &RecordedRoleAssignment| {
        wanted.iter().any(|(scope, role, principal)| {
            let name = names::role_assignment(scope, role, principal);
            entry.id.name().eq_ignore_ascii_case(&name.to_string())
        })
    };
    let is_seen =
        |entry: &RecordedRoleAssignment| observed.role_assignments.iter().any(|a| a.id == entry.id);
    let entries = observed.record.role_assignments.iter();
    entries
        .filter(move |entry| entry.created && !is_seen(entry) && !is_wanted(entry))
        .map(|entry| Step::RevokeRole {
            assignment: entry.id.clone(),
            role: Role::parse(&entry.role),
            scope: entry.scope.clone(),
            principal_id: entry.principal_id.clone(),
        })
}

fn is_from(step: &Step, principal: Option<&str>) -> bool {
    matches!(step, Step::RevokeRole { principal_id, .. } if Some(principal_id.as_str()) == principal)
}

fn former_principal<'a>(desired: &Desired, observed: &'a Observed) -> Option<&'a str> {
    let recorded = observed.record.identity.as_ref()?;
    (recorded.id != desired.identity.id).then_some(recorded.principal_id.as_str())
}
