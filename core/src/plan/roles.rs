use super::refusal::Refusal;
use super::step::{Access, Step};
use crate::desired::{Desired, Grant, Grantee, Owner};
use crate::names;
use crate::observed::{Assignment, Observed, Record, RecordedAssignment};
use crate::role::Role;

/// What the roles come to.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) grants: Vec<Step>,
    pub(super) revokes: Vec<Step>,
    pub(super) held: Vec<RecordedAssignment>,
    pub(super) refusals: Vec<Refusal>,
}

/// Roles to give, to take back, and those that are as they should be.
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
    roles.revokes = surplus(desired, observed)
        .filter(|assignment| Some(assignment.principal_id.as_str()) != former)
        .map(revoke)
        .collect();
    roles
}

/// Takes back what the identity of before was given.
pub(super) fn revoke_former(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let former = former_principal(desired, observed);
    surplus(desired, observed)
        .filter(|assignment| Some(assignment.principal_id.as_str()) == former)
        .map(revoke)
        .collect()
}

/// Whether podid made the assignment for this owner: it remembers, or the assignment has both the
/// name and the description that only podid gives. Anything else is somebody else's.
pub(super) fn is_ours(assignment: &Assignment, owner: &Owner, record: &Record) -> bool {
    let name = names::role_assignment(
        &assignment.scope,
        &assignment.role,
        &assignment.principal_id,
    );
    record.made(&assignment.id)
        || (assignment.description.as_ref() == Some(&owner.marker())
            && assignment.id.name().eq_ignore_ascii_case(&name.to_string()))
}

/// The step that takes an assignment back.
pub(super) fn revoke(assignment: &Assignment) -> Step {
    Step::RevokeRole {
        assignment: assignment.id.clone(),
        role: Role::Known(assignment.role),
        scope: assignment.scope.clone(),
        principal_id: assignment.principal_id.clone(),
    }
}

/// A role that only Azure can find, found; left by name if nobody has looked it up.
fn resolve(grant: &Grant, observed: &Observed) -> Result<Role, Refusal> {
    let Role::Named(name) = &grant.role else {
        return Ok(grant.role.clone());
    };
    match observed.roles.get(&name.to_ascii_lowercase()) {
        Some(Some(id)) => Ok(Role::Known(*id)),
        Some(None) => Err(Refusal::UnknownRole {
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
    let access = Access {
        role,
        scope: grant.scope.clone(),
        to: grant.to.clone(),
        description,
    };
    match grant.to {
        Grantee::Identity => Step::GrantRole(access),
        Grantee::Machines(_) => Step::GrantNodeRole(access),
    }
}

fn find<'a>(grant: &Grant, role: &Role, observed: &'a Observed) -> Option<&'a Assignment> {
    let role = role.id()?;
    let principal = principal(grant, observed)?;
    observed.assignments.iter().find(|assignment| {
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
        Grantee::Machines(principal) => Some(principal),
    }
}

fn recorded(
    found: &Assignment,
    role: &Role,
    desired: &Desired,
    observed: &Observed,
) -> RecordedAssignment {
    RecordedAssignment {
        id: found.id.clone(),
        role: role.to_string(),
        scope: found.scope.clone(),
        principal_id: found.principal_id.clone(),
        created: is_ours(found, &desired.owner, &observed.record),
    }
}

/// Assignments of ours that nothing asks for any more.
fn surplus<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a Assignment> {
    let wanted: Vec<&Assignment> = desired
        .grants
        .iter()
        .filter_map(|grant| find(grant, &resolve(grant, observed).ok()?, observed))
        .collect();
    observed.assignments.iter().filter(move |assignment| {
        is_ours(assignment, &desired.owner, &observed.record)
            && !wanted.iter().any(|wanted| wanted.id == assignment.id)
    })
}

fn former_principal<'a>(desired: &Desired, observed: &'a Observed) -> Option<&'a str> {
    let recorded = observed.record.identity.as_ref()?;
    (recorded.id != desired.identity.id).then_some(recorded.principal_id.as_str())
}
