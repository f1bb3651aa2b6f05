//! `Microsoft.Authorization/roleDefinitions`, read only.

use http::StatusCode;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{ArmError, Result};
use super::filter::{self, Term};
use super::route::subscription_of;
use crate::state::ids::{covers, fold};
use crate::state::{Definition, State};
use crate::wire::Reply;

const READ: &str = "Microsoft.Authorization/roleDefinitions/read";

pub(super) fn get(context: &Context<'_>, state: &State, scope: &str, id: &str) -> Result<Reply> {
    // Built-in roles belong to nobody: at the root everyone may look them up.
    if scope != "/" {
        context.require(state, READ, scope)?;
    }
    let definition = state
        .definitions
        .get(&id.to_lowercase())
        .ok_or_else(|| missing(id))?;
    Ok(Reply::json(StatusCode::OK, &render(definition, scope)))
}

pub(super) fn list(context: &Context<'_>, state: &State, scope: &str) -> Result<Reply> {
    if scope != "/" {
        context.require(state, READ, scope)?;
    }
    let terms = filter::parse(context.request.query("$filter"))?;
    let mut items = Vec::new();
    for definition in state.definitions.values().filter(|d| assignable(d, scope)) {
        if wanted(definition, &terms)? {
            items.push(render(definition, scope));
        }
    }
    context.page(items)
}

pub(super) fn missing(id: &str) -> ArmError {
    ArmError::not_found(
        "RoleDefinitionDoesNotExist",
        format!("The specified role definition with ID '{id}' does not exist."),
    )
}

fn assignable(definition: &Definition, scope: &str) -> bool {
    let scope = fold(scope);
    definition
        .role
        .assignable_scopes
        .iter()
        .map(|s| fold(s))
        .any(|s| covers(&s, &scope) || covers(&scope, &s))
}

fn wanted(definition: &Definition, terms: &[Term]) -> Result<bool> {
    for term in terms {
        let fits = match term {
            Term::Equals(name, value) if name == "rolename" => {
                definition.role.role_name.eq_ignore_ascii_case(value)
            }
            Term::Equals(name, value) if name == "type" => {
                typ(definition).eq_ignore_ascii_case(value)
            }
            // Everything listed is assignable at the scope or below it.
            Term::Function(name, None) if name == "atscopeandbelow" => true,
            Term::Equals(name, _) | Term::Function(name, _) => return Err(filter::refused(name)),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn typ(definition: &Definition) -> &'static str {
    if definition.built_in {
        "BuiltInRole"
    } else {
        "CustomRole"
    }
}

fn render(definition: &Definition, scope: &str) -> Value {
    let Definition { guid, role, .. } = definition;
    // Seen from a subscription, a role's id begins with that subscription.
    let prefix = subscription_of(scope)
        .map(|s| format!("/subscriptions/{s}"))
        .unwrap_or_default();
    json!({
        "id": format!("{prefix}/providers/Microsoft.Authorization/roleDefinitions/{guid}"),
        "name": guid,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.role_name,
            "type": typ(definition),
            "description": role.description,
            "assignableScopes": role.assignable_scopes,
            "permissions": role.permissions,
        },
    })
}
