//! `Microsoft.Authorization/roleDefinitions`. They can only be read.

use http::StatusCode;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{ArmError, Result};
use super::filter::{self, Term};
use super::kind::subscription_of;
use crate::ids::{covers, normalize};
use crate::message::Reply;
use crate::resources::Definition;
use crate::state::State;

const READ: &str = "Microsoft.Authorization/roleDefinitions/read";

pub(super) fn get(context: &Context<'_>, state: &State, scope: &str, id: &str) -> Result<Reply> {
    // Everyone may read built-in roles at the root scope.
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
    let scope = normalize(scope);
    definition
        .role
        .assignable_scopes
        .iter()
        .map(|s| normalize(s))
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
            // It changes nothing: the list only has roles that are assignable at the scope or below.
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
    // The id of a role starts with the subscription of the request's scope, if it has one.
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
