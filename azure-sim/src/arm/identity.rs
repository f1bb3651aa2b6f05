//! `Microsoft.ManagedIdentity/userAssignedIdentities`, and the system-assigned identity of a
//! resource. No operation here is long-running.

use std::collections::BTreeMap;
use std::time::Instant;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::{self, Context};
use super::error::{ArmError, Result};
use super::kind::Container;
use crate::ids::{ResourceId, USER_ASSIGNED_IDENTITIES, covers, last, normalize};
use crate::message::Reply;
use crate::operation::Operation;
use crate::resources::Identity;
use crate::state::State;

const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/delete";
const READ_SYSTEM: &str = "Microsoft.ManagedIdentity/identities/read";
/// The first api-version with `isolationScope`.
const ISOLATION_SINCE: &str = "2024-11-30";

#[derive(Deserialize)]
struct Body {
    location: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    isolation_scope: Option<String>,
    assignment_restrictions: Option<Value>,
}

pub(super) fn get(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(state, READ, &id.path())?;
    context.group(state, id)?;
    let identity = find(state, id)?;
    if context.lags(identity.created_at) {
        return Err(not_found(id));
    }
    Ok(Reply::json(
        StatusCode::OK,
        &render(identity, context.version, &state.tenant),
    ))
}

pub(super) fn put(context: &Context<'_>, state: &mut State, id: &ResourceId) -> Result<Reply> {
    context.require(state, WRITE, &id.path())?;
    context.group(state, id)?;
    check_name(&id.name)?;
    let body: Body = context.body()?;
    let location = required_location(body.location.as_deref())?;
    let isolation = isolation(body.properties)?.unwrap_or_else(|| "None".into());
    let tags = body.tags.unwrap_or_default();
    let status = match state.identities.get_mut(&id.key()) {
        Some(identity) if region(&identity.location) != location => {
            return Err(location_conflict(identity, &location));
        }
        Some(identity) => {
            identity.tags = tags;
            identity.isolation_scope = isolation;
            StatusCode::OK
        }
        None => {
            let identity = Identity {
                id: id.clone(),
                location,
                tags,
                client_id: state.random_guid(),
                principal_id: state.random_guid(),
                isolation_scope: isolation,
                federated: BTreeMap::new(),
                created_at: Instant::now(),
            };
            state.identities.insert(id.key(), identity);
            StatusCode::CREATED
        }
    };
    let body = render(find(state, id)?, context.version, &state.tenant);
    Ok(Reply::json(status, &body))
}

fn required_location(given: Option<&str>) -> Result<String> {
    given.map(region).filter(|l| !l.is_empty()).ok_or_else(|| {
        ArmError::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        )
    })
}

pub(super) fn patch(context: &Context<'_>, state: &mut State, id: &ResourceId) -> Result<Reply> {
    context.require(state, WRITE, &id.path())?;
    let body: Body = context.body()?;
    let isolation = isolation(body.properties)?;
    let identity = state
        .identities
        .get_mut(&id.key())
        .ok_or_else(|| not_found(id))?;
    if let Some(tags) = body.tags {
        identity.tags = tags;
    }
    if let Some(isolation) = isolation {
        identity.isolation_scope = isolation;
    }
    Ok(Reply::json(
        StatusCode::OK,
        &render(find(state, id)?, context.version, &state.tenant),
    ))
}

/// The role assignments of the identity stay, as in Azure.
pub(super) fn delete(context: &Context<'_>, state: &mut State, id: &ResourceId) -> Result<Reply> {
    context.require(state, DELETE, &id.path())?;
    let status = match state.identities.remove(&id.key()) {
        Some(_) => StatusCode::OK,
        None => StatusCode::NO_CONTENT,
    };
    Ok(Reply::empty(status))
}

pub(super) fn list(context: &Context<'_>, state: &State, place: &Container) -> Result<Reply> {
    let scope = place.scope();
    context.require(state, READ, &scope)?;
    context::require_group(state, place)?;
    let scope = normalize(&scope);
    let items = state
        .identities
        .values()
        .filter(|i| covers(&scope, &i.id.key()))
        .filter(|i| !context.lags_in(Operation::IdentityList, &i.id.path(), i.created_at))
        .map(|i| render(i, context.version, &state.tenant));
    context.page(items.collect())
}

/// The system-assigned identity of a VM or scale set.
pub(super) fn system_assigned(context: &Context<'_>, state: &State, scope: &str) -> Result<Reply> {
    context.require(state, READ_SYSTEM, scope)?;
    let compute = state.compute.get(&normalize(scope));
    let system = compute.and_then(|c| Some((c, c.identity.system_assigned.as_ref()?)));
    let Some((compute, system)) = system else {
        return Err(ArmError::not_found(
            "ResourceNotFound",
            format!("The resource '{scope}' has no system-assigned identity."),
        ));
    };
    Ok(Reply::json(
        StatusCode::OK,
        &json!({
            "id": format!("{scope}/providers/Microsoft.ManagedIdentity/identities/default"),
            "name": "default",
            "type": "Microsoft.ManagedIdentity/identities",
            "location": compute.location,
            "properties": {
                "tenantId": state.tenant,
                "principalId": system.principal_id,
                "clientId": system.client_id,
            },
        }),
    ))
}

/// The identity, or 404.
pub(super) fn find<'s>(state: &'s State, id: &ResourceId) -> Result<&'s Identity> {
    state.identities.get(&id.key()).ok_or_else(|| not_found(id))
}

pub(super) fn not_found(id: &ResourceId) -> ArmError {
    ArmError::resource_not_found(USER_ASSIGNED_IDENTITIES, &id.name, &id.group)
}

fn location_conflict(identity: &Identity, location: &str) -> ArmError {
    let Identity {
        id, location: here, ..
    } = identity;
    ArmError::conflict(
        "InvalidResourceLocation",
        format!(
            "The resource '{}' already exists in location '{here}' in resource group '{}'. A \
             resource with the same name cannot be created in location '{location}'. Please select \
             a new resource name.",
            id.name, id.group,
        ),
    )
}

/// The name of a region: `West Europe` and `westeurope` are the same.
fn region(text: &str) -> String {
    text.to_lowercase().replace(' ', "")
}

/// The `isolationScope` of a request, spelled as Azure does; `None` if it has none.
fn isolation(properties: Option<Properties>) -> Result<Option<String>> {
    let Some(properties) = properties else {
        return Ok(None);
    };
    if properties
        .assignment_restrictions
        .is_some_and(|r| !r.is_null())
    {
        return Err(ArmError::not_simulated(
            "assignmentRestrictions of an identity",
        ));
    }
    let Some(scope) = properties.isolation_scope else {
        return Ok(None);
    };
    ["None", "Regional"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(&scope))
        .map(|known| Some(known.to_owned()))
        .ok_or_else(|| {
            ArmError::bad_request(
                "BadRequest",
                format!("'{scope}' is not an isolation scope."),
            )
        })
}

/// Azure's rule: 3 to 128 letters, digits, `-` and `_`, and the first is a letter or digit.
fn check_name(name: &str) -> Result<()> {
    let fits = (3..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidResourceName",
        format!(
            "The resource name '{name}' is invalid: 3 to 128 letters, digits, hyphens and \
             underscores, beginning with a letter or digit."
        ),
    ))
}

fn render(identity: &Identity, version: &str, tenant: &str) -> Value {
    let mut properties = json!({
        "tenantId": tenant,
        "principalId": identity.principal_id,
        "clientId": identity.client_id,
    });
    if version >= ISOLATION_SINCE {
        properties["isolationScope"] = json!(identity.isolation_scope);
    }
    let id = identity.id.path();
    json!({
        "id": id,
        "name": last(&id),
        "type": USER_ASSIGNED_IDENTITIES,
        "location": identity.location,
        "tags": identity.tags,
        "properties": properties,
    })
}
