//! `Microsoft.Authorization/roleAssignments`.

use std::time::Instant;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::definitions;
use super::error::{ArmError, Result};
use super::filter::{self, Term};
use super::route::subscription_of;
use crate::clock::arm_time;
use crate::operation::Operation;
use crate::state::ids::{covers, fold, last};
use crate::state::{Assignment, State};
use crate::wire::Reply;

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";
const TYPE: &str = "Microsoft.Authorization/roleAssignments";
/// Assignments one subscription may have.
const LIMIT: usize = 4000;

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: String,
    principal_type: Option<String>,
    description: Option<String>,
    condition: Option<String>,
    delegated_managed_identity_resource_id: Option<String>,
}

pub(super) fn get(context: &Context<'_>, state: &State, scope: &str, name: &str) -> Result<Reply> {
    context.require(state, READ, scope)?;
    match at(state, scope, name) {
        Some(found) if !context.lags(found.born) => {
            Ok(Reply::json(StatusCode::OK, &render(state, found, false)))
        }
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
    context.require(state, WRITE, scope)?;
    check_scope(state, scope)?;
    if uuid::Uuid::parse_str(name).is_err() {
        return Err(ArmError::bad_request(
            "InvalidRoleAssignmentId",
            format!(
                "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
            ),
        ));
    }
    let Body { properties } = context.body()?;
    refuse_unsimulated(&properties)?;
    let role = last(&properties.role_definition_id).to_lowercase();
    if !state.definitions.contains_key(&role) {
        return Err(definitions::missing(last(&properties.role_definition_id)));
    }
    if let Some(known) = state.assignments.get(&name.to_lowercase()) {
        return update(context, state, &known.clone(), &properties, (scope, &role));
    }
    check_principal(context, state, &properties)?;
    check_free(state, scope, &role, &properties.principal_id)?;
    let now = context.shared.clock.now();
    let assignment = Assignment {
        name: name.into(),
        scope: scope.into(),
        role,
        principal_id: properties.principal_id,
        description: properties.description,
        created: now,
        updated: now,
        author: Some(context.caller.oid.clone()),
        born: Instant::now(),
    };
    let body = render(state, &assignment, true);
    state.assignments.insert(name.to_lowercase(), assignment);
    Ok(Reply::json(StatusCode::CREATED, &body))
}

pub(super) fn delete(
    context: &Context<'_>,
    state: &mut State,
    scope: &str,
    name: &str,
) -> Result<Reply> {
    context.require(state, DELETE, scope)?;
    let Some(found) = at(state, scope, name) else {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    let body = render(state, found, false);
    state.assignments.remove(&name.to_lowercase());
    Ok(Reply::json(StatusCode::OK, &body))
}

pub(super) fn list(context: &Context<'_>, state: &State, scope: &str) -> Result<Reply> {
    context.require(state, READ, scope)?;
    let wanted = Wanted::read(context.request.query("$filter"))?;
    let here = fold(scope);
    let items = state
        .assignments
        .values()
        .filter(|a| wanted.fits(a, &here))
        .filter(|a| !context.lags_in(Operation::RoleAssignmentList, &id(a), a.born))
        .map(|a| render(state, a, false));
    context.page(items.collect())
}

/// Which assignments a list asks for.
struct Wanted {
    below: bool,
    principal: Option<String>,
}

impl Wanted {
    fn read(text: Option<&str>) -> Result<Self> {
        let mut wanted = Self {
            below: true,
            principal: None,
        };
        for term in filter::parse(text)? {
            match term {
                Term::Function(name, None) if name == "atscope" => wanted.below = false,
                // There are no groups in this tenant, so nothing reaches a principal through one.
                Term::Function(name, Some(id)) if name == "assignedto" => {
                    wanted.principal = Some(id)
                }
                Term::Equals(name, id) if name == "principalid" => wanted.principal = Some(id),
                Term::Function(name, _) | Term::Equals(name, _) => {
                    return Err(filter::refused(&name));
                }
            }
        }
        Ok(wanted)
    }

    fn fits(&self, assignment: &Assignment, here: &str) -> bool {
        let scope = fold(&assignment.scope);
        (covers(&scope, here) || (self.below && covers(here, &scope)))
            && self
                .principal
                .as_ref()
                .is_none_or(|p| p.eq_ignore_ascii_case(&assignment.principal_id))
    }
}

/// An assignment of that name at that very scope.
fn at<'s>(state: &'s State, scope: &str, name: &str) -> Option<&'s Assignment> {
    state
        .assignments
        .get(&name.to_lowercase())
        .filter(|a| fold(&a.scope) == fold(scope))
}

/// A repeated PUT may change the description and nothing else.
fn update(
    context: &Context<'_>,
    state: &mut State,
    known: &Assignment,
    properties: &Properties,
    (scope, role): (&str, &str),
) -> Result<Reply> {
    let same = fold(&known.scope) == fold(scope)
        && known.role == role
        && known
            .principal_id
            .eq_ignore_ascii_case(&properties.principal_id);
    if !same {
        return Err(ArmError::bad_request(
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ));
    }
    let mut updated = known.clone();
    updated.description.clone_from(&properties.description);
    updated.updated = context.shared.clock.now();
    let body = render(state, &updated, false);
    state.assignments.insert(known.name.to_lowercase(), updated);
    Ok(Reply::json(StatusCode::OK, &body))
}

/// Rights that would be wider here than in Azure are not given at all.
fn refuse_unsimulated(properties: &Properties) -> Result<()> {
    if properties
        .condition
        .as_deref()
        .is_some_and(|c| !c.is_empty())
    {
        return Err(ArmError::not_simulated("conditions of role assignments"));
    }
    if properties.delegated_managed_identity_resource_id.is_some() {
        return Err(ArmError::not_simulated(
            "delegatedManagedIdentityResourceId",
        ));
    }
    Ok(())
}

fn check_scope(state: &State, scope: &str) -> Result<()> {
    let parts: Vec<_> = scope.split('/').filter(|s| !s.is_empty()).collect();
    match parts[..] {
        [_, subscription, groups, group, ..] if groups.eq_ignore_ascii_case("resourceGroups") => {
            super::context::group(state, subscription, group).map(|_| ())
        }
        _ => Ok(()),
    }
}

fn check_principal(context: &Context<'_>, state: &State, properties: &Properties) -> Result<()> {
    let id = &properties.principal_id;
    let typed = properties.principal_type.is_some();
    let known = state.principal_born(id).is_some_and(|born| {
        !context
            .shared
            .faults()
            .lags_for(context.named.operation, &context.route.path, born, typed)
    });
    if !known {
        return Err(ArmError::bad_request(
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct \
                 principal ID. If you are creating this principal and then immediately assigning a \
                 role, this error might be related to a replication delay. In this case, set the \
                 role assignment principalType property to a value, such as ServicePrincipal, User, \
                 or Group.",
                id.replace('-', ""),
                state.tenant,
            ),
        ));
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

fn check_free(state: &State, scope: &str, role: &str, principal: &str) -> Result<()> {
    let twin = state.assignments.values().find(|a| {
        fold(&a.scope) == fold(scope)
            && a.role == role
            && a.principal_id.eq_ignore_ascii_case(principal)
    });
    if let Some(twin) = twin {
        return Err(ArmError::conflict(
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                twin.name.replace('-', ""),
            ),
        ));
    }
    let subscription = subscription_of(scope).map(|s| fold(&format!("/subscriptions/{s}")));
    let count = subscription.map_or(0, |s| {
        state
            .assignments
            .values()
            .filter(|a| covers(&s, &fold(&a.scope)))
            .count()
    });
    if count >= LIMIT {
        return Err(ArmError::bad_request(
            "RoleAssignmentLimitExceeded",
            "No more role assignments can be created.",
        ));
    }
    Ok(())
}

fn id(assignment: &Assignment) -> String {
    let Assignment { scope, name, .. } = assignment;
    format!("{}/providers/{TYPE}/{name}", scope.trim_end_matches('/'))
}

fn render(state: &State, assignment: &Assignment, created: bool) -> Value {
    let prefix = subscription_of(&assignment.scope)
        .map(|s| format!("/subscriptions/{s}"))
        .unwrap_or_default();
    // A principal that is gone has no type any more; its assignments stay behind.
    let known = state.principal_born(&assignment.principal_id).is_some();
    json!({
        "id": id(assignment),
        "name": assignment.name,
        "type": TYPE,
        "properties": {
            "roleDefinitionId": format!("{prefix}/providers/Microsoft.Authorization/roleDefinitions/{}", assignment.role),
            "principalId": assignment.principal_id,
            "principalType": if known { "ServicePrincipal" } else { "Unknown" },
            "scope": assignment.scope,
            "description": assignment.description,
            "condition": null,
            "conditionVersion": null,
            "createdOn": arm_time(assignment.created),
            "updatedOn": arm_time(assignment.updated),
            "createdBy": if created { None } else { assignment.author.as_ref() },
            "updatedBy": assignment.author,
            "delegatedManagedIdentityResourceId": null,
        },
    })
}
