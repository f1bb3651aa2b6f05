//! `Microsoft.Authorization/roleAssignments`.

mod body;
mod checks;
mod list_filter;
mod render;

use std::time::Instant;

use http::StatusCode;

use self::body::{Body, Properties};
use self::list_filter::ListFilter;
use super::context::Context;
use super::definitions;
use super::error::{ArmError, Result};
use crate::conditions::Attempt;
use crate::ids::{last, normalize};
use crate::message::Reply;
use crate::operation::Operation;
use crate::resources::Assignment;
use crate::state::State;

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

pub(super) fn get(context: &Context<'_>, state: &State, scope: &str, name: &str) -> Result<Reply> {
    context.require(state, READ, scope)?;
    match find(state, scope, name) {
        Some(found) if !context.lags(found.created_at) => Ok(Reply::json(
            StatusCode::OK,
            &render::assignment(state, found, false),
        )),
        _ => Err(ArmError::not_found(
            "RoleAssignmentNotFound",
            format!("The role assignment '{name}' is not found."),
        )),
    }
}

pub(super) fn put(
    context: &Context<'_>,
    state: &mut State,
    scope: &str,
    name: &str,
) -> Result<Reply> {
    let Body { properties } = context.body()?;
    let attributes = properties.attributes();
    let attempt = Attempt {
        request: Some(&attributes),
        ..Attempt::of(WRITE)
    };
    context.require_attempt(state, &attempt, scope)?;
    checks::check_scope(state, scope)?;
    checks::check_name(name)?;
    properties.refuse_unsimulated()?;
    let role = attributes.role;
    if !state.definitions.contains_key(&role) {
        return Err(definitions::missing(last(&properties.role_definition_id)));
    }
    match state.assignments.get(&name.to_lowercase()).cloned() {
        Some(existing) => update(context, state, existing, &properties, (scope, &role)),
        None => create(context, state, properties, (scope, name, role)),
    }
}

fn create(
    context: &Context<'_>,
    state: &mut State,
    properties: Properties,
    (scope, name, role): (&str, &str, String),
) -> Result<Reply> {
    let condition = properties.condition()?;
    checks::check_principal(context, state, &properties)?;
    checks::check_duplicate(state, scope, &role, &properties.principal_id)?;
    checks::check_limit(state, scope)?;
    let now = context.shared.clock.now();
    let assignment = Assignment {
        name: name.into(),
        scope: scope.into(),
        role,
        principal_id: properties.principal_id,
        description: properties.description,
        condition,
        created: now,
        updated: now,
        author: Some(context.caller.oid.clone()),
        created_at: Instant::now(),
    };
    let body = render::assignment(state, &assignment, true);
    state.assignments.insert(name.to_lowercase(), assignment);
    Ok(Reply::json(StatusCode::CREATED, &body))
}

pub(super) fn delete(
    context: &Context<'_>,
    state: &mut State,
    scope: &str,
    name: &str,
) -> Result<Reply> {
    let Some(found) = find(state, scope, name) else {
        // Conditions ask of an assignment, and here is none.
        context.require_role(state, DELETE, scope)?;
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    let attributes = state.attributes(found);
    let attempt = Attempt {
        resource: Some(&attributes),
        ..Attempt::of(DELETE)
    };
    context.require_attempt(state, &attempt, scope)?;
    let body = render::assignment(state, found, false);
    state.assignments.remove(&name.to_lowercase());
    Ok(Reply::json(StatusCode::OK, &body))
}

pub(super) fn list(context: &Context<'_>, state: &State, scope: &str) -> Result<Reply> {
    context.require(state, READ, scope)?;
    let filter = ListFilter::parse(context.request.query("$filter"))?;
    let scope = normalize(scope);
    let lags = |a: &Assignment| {
        context.lags_in(Operation::RoleAssignmentList, &render::id(a), a.created_at)
    };
    let items = state
        .assignments
        .values()
        .filter(|a| filter.matches(a, &scope))
        .filter(|a| !lags(a))
        .map(|a| render::assignment(state, a, false));
    context.page(items.collect())
}

/// The assignment of that name, if it is at exactly that scope.
fn find<'s>(state: &'s State, scope: &str, name: &str) -> Option<&'s Assignment> {
    state
        .assignments
        .get(&name.to_lowercase())
        .filter(|a| normalize(&a.scope) == normalize(scope))
}

/// A second PUT can change the description and the condition only.
fn update(
    context: &Context<'_>,
    state: &mut State,
    existing: Assignment,
    properties: &Properties,
    (scope, role): (&str, &str),
) -> Result<Reply> {
    let same = normalize(&existing.scope) == normalize(scope)
        && existing.role == role
        && existing
            .principal_id
            .eq_ignore_ascii_case(&properties.principal_id);
    if !same {
        return Err(ArmError::bad_request(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ));
    }
    let mut updated = existing;
    updated.condition = properties.condition()?;
    updated.description.clone_from(&properties.description);
    updated.updated = context.shared.clock.now();
    let body = render::assignment(state, &updated, false);
    state
        .assignments
        .insert(updated.name.to_lowercase(), updated);
    Ok(Reply::json(StatusCode::OK, &body))
}
