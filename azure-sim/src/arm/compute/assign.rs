//! Assigning identities to a VM or scale set, and taking them away.

use std::time::Instant;

use http::StatusCode;
use serde_json::{Value, json};

use super::identity_update::{IdentityUpdate, Refusal};
use super::lookup::{action, find};
use crate::arm::context::Context;
use crate::arm::error::{ArmError, Result};
use crate::conditions::Attempt;
use crate::ids::ResourceId;
use crate::operation::Operation;
use crate::resources::{AssignedIdentity, Identity, IdentityBlock, SystemIdentity};
use crate::state::State;

const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

/// The request, and the VM or scale set that it changes.
pub(super) struct Target<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) id: &'a ResourceId,
}

/// The `identity` block after the request. One identity that cannot be assigned refuses them all.
pub(super) fn next_block(
    target: &Target<'_>,
    state: &mut State,
    mut block: IdentityBlock,
    requested: &Value,
) -> Result<IdentityBlock> {
    let update = IdentityUpdate::parse(requested).map_err(|refusal| match refusal {
        Refusal::Direct(error) => error,
        Refusal::Inner(text) => operation_failed(target.id, &text),
    })?;
    check_permission(target, state, &update.add)?;
    for id in &update.remove {
        block.user_assigned.remove(&id.key());
    }
    for id in &update.add {
        let identity = find_assignable(target, state, id)?;
        assign(&mut block, identity);
    }
    set_types(state, &mut block, &update)?;
    Ok(block)
}

/// Applies the identity types of the request.
fn set_types(state: &mut State, block: &mut IdentityBlock, update: &IdentityUpdate) -> Result<()> {
    if !update.user_assigned {
        block.user_assigned.clear();
    } else if block.user_assigned.is_empty() {
        return Err(ArmError::bad_request(
            "MissingIdentityIds",
            "The identity ids must not be null or empty for 'UserAssigned' identity type.",
        ));
    }
    if !update.system_assigned {
        block.system_assigned = None;
    } else if block.system_assigned.is_none() {
        block.system_assigned = Some(SystemIdentity {
            principal_id: state.random_guid(),
            client_id: state.random_guid(),
        });
    }
    Ok(())
}

/// The right to assign each identity. ARM checks it before compute sees the request.
fn check_permission(target: &Target<'_>, state: &State, ids: &[ResourceId]) -> Result<()> {
    let caller = &target.context.caller;
    let refused: Vec<_> = ids
        .iter()
        .map(ResourceId::path)
        .filter(|id| !target.context.allows(state, &Attempt::of(ASSIGN), id))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(ArmError::new(
        StatusCode::FORBIDDEN,
        "LinkedAuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' has permission to perform action '{}' on scope \
             '{}'; however, it does not have permission to perform action(s) '{ASSIGN}' on the \
             linked scope(s) '{}' (respectively) or the linked scope(s) are invalid.",
            caller.appid,
            caller.oid,
            action(target.id.kind, "write"),
            target.id.path(),
            refused.join(","),
        ),
    ))
}

/// An identity that exists and may be used in the region of the VM or scale set.
fn find_assignable<'s>(
    target: &Target<'_>,
    state: &'s State,
    id: &ResourceId,
) -> Result<&'s Identity> {
    let known = state.identities.get(&id.key()).filter(|i| {
        !target
            .context
            .lags_in(Operation::IdentityAssign, &id.path(), i.created_at)
    });
    let Some(identity) = known else {
        let text = format!("Resource '{}' was not found.", id.path());
        return Err(operation_failed(target.id, &text));
    };
    let location = &find(state, target.id)?.location;
    if identity.isolation_scope == "Regional" && identity.location != *location {
        let text = format!(
            "Identity '{}' of location '{}' with isolation scope 'Regional' cannot be assigned in location '{location}'.",
            id.path(),
            identity.location,
        );
        return Err(operation_failed(target.id, &text));
    }
    Ok(identity)
}

fn assign(block: &mut IdentityBlock, identity: &Identity) {
    let key = identity.id.key();
    let present = block.user_assigned.get(&key);
    // An identity that was deleted and created again has new ids, and must be assigned anew. One
    // with the same ids stays as it is: it is in use already.
    if present.is_some_and(|p| p.client_id == identity.client_id) {
        return;
    }
    let assigned = AssignedIdentity {
        id: identity.id.path(),
        client_id: identity.client_id.clone(),
        principal_id: identity.principal_id.clone(),
        active: false,
        active_since: Instant::now(),
    };
    block.user_assigned.insert(key, assigned);
}

/// An error of the managed identity service, wrapped as compute answers it.
fn operation_failed(compute: &ResourceId, inner: &str) -> ArmError {
    let response = json!({"error": {"code": "BadRequest", "message": inner}});
    ArmError::bad_request(
        "FailedIdentityOperation",
        format!(
            "Identity operation for resource '{}' failed with error 'Failed to perform resource \
             identity operation. Status: 'BadRequest'. Response: '{response}'.'.",
            compute.path(),
        ),
    )
}
