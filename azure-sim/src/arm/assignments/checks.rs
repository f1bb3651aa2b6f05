//! What ARM checks before it creates a role assignment.

use super::body::Properties;
use crate::arm::context::{self, Context};
use crate::arm::error::{ArmError, Result};
use crate::arm::kind::subscription_of;
use crate::ids::{covers, normalize};
use crate::state::State;

/// Largest number of role assignments per subscription.
const LIMIT: usize = 4000;

pub(super) fn check_name(name: &str) -> Result<()> {
    if uuid::Uuid::parse_str(name).is_ok() {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidRoleAssignmentId",
        format!(
            "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        ),
    ))
}

/// The resource group of the scope must exist. Resources need not: their types are mostly unknown
/// to the simulator.
pub(super) fn check_scope(state: &State, scope: &str) -> Result<()> {
    let parts: Vec<_> = scope.split('/').filter(|s| !s.is_empty()).collect();
    match parts[..] {
        [_, subscription, groups, group, ..] if groups.eq_ignore_ascii_case("resourceGroups") => {
            context::group(state, subscription, group).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// The principal must exist and have the type that the request states.
pub(super) fn check_principal(
    context: &Context<'_>,
    state: &State,
    properties: &Properties,
) -> Result<()> {
    let id = &properties.principal_id;
    let typed = properties.principal_type.is_some();
    let lags = |created_at| {
        let mut faults = context.shared.faults();
        let operation = context.invocation.operation;
        faults.lags_for(operation, &context.route.path, created_at, typed)
    };
    if state.principal_created_at(id).is_none_or(lags) {
        return Err(principal_not_found(id, &state.tenant));
    }
    match &properties.principal_type {
        Some(typ) if !typ.eq_ignore_ascii_case("ServicePrincipal") => Err(ArmError::bad_request(
            "UnmatchedPrincipalType",
            format!(
                "The PrincipalId '{id}' has type 'ServicePrincipal' , which is different from \
                 specified PrinciaplType '{typ}'."
            ),
        )),
        _ => Ok(()),
    }
}

fn principal_not_found(id: &str, tenant: &str) -> ArmError {
    ArmError::bad_request(
        "PrincipalNotFound",
        format!(
            "Principal {} does not exist in the directory {tenant}. Check that you have the correct \
             principal ID. If you are creating this principal and then immediately assigning a \
             role, this error might be related to a replication delay. In this case, set the \
             role assignment principalType property to a value, such as ServicePrincipal, User, \
             or Group.",
            id.replace('-', ""),
        ),
    )
}

/// The principal must not have the role at that scope already.
pub(super) fn check_duplicate(
    state: &State,
    scope: &str,
    role: &str,
    principal: &str,
) -> Result<()> {
    let existing = state.assignments.values().find(|a| {
        normalize(&a.scope) == normalize(scope)
            && a.role == role
            && a.principal_id.eq_ignore_ascii_case(principal)
    });
    match existing {
        None => Ok(()),
        Some(existing) => Err(ArmError::conflict(
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                existing.name.replace('-', ""),
            ),
        )),
    }
}

pub(super) fn check_limit(state: &State, scope: &str) -> Result<()> {
    let subscription = subscription_of(scope).map(|s| normalize(&format!("/subscriptions/{s}")));
    let count = subscription.map_or(0, |s| {
        state
            .assignments
            .values()
            .filter(|a| covers(&s, &normalize(&a.scope)))
            .count()
    });
    if count < LIMIT {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "RoleAssignmentLimitExceeded",
        "No more role assignments can be created.",
    ))
}
