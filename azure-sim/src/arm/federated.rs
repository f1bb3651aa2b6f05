//! Federated credentials of a user-assigned identity.

use std::time::Instant;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{ArmError, Result};
use super::identity::{find, not_found};
use crate::ids::{ResourceId, normalize};
use crate::message::Reply;
use crate::operation::Operation;
use crate::resources::{Federated, Identity};
use crate::seed::FederatedCredential;
use crate::state::State;

const TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
/// Largest number of credentials per identity.
const LIMIT: usize = 20;
/// Largest number of characters in an issuer, subject or audience.
const LENGTH: usize = 600;

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    audiences: Vec<String>,
}

fn action(verb: &str) -> String {
    format!("{TYPE}/{verb}")
}

pub(super) fn get(
    context: &Context<'_>,
    state: &State,
    id: &ResourceId,
    name: &str,
) -> Result<Reply> {
    context.require(state, &action("read"), &id.path())?;
    match find(state, id)?.federated.get(&normalize(name)) {
        Some(found) if !context.lags(found.written_at) => {
            Ok(Reply::json(StatusCode::OK, &render(id, &found.credential)))
        }
        _ => Err(ArmError::resource_not_found(
            TYPE,
            &format!("{}/{name}", id.name),
            &id.group,
        )),
    }
}

pub(super) fn put(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
    name: &str,
) -> Result<Reply> {
    context.require(state, &action("write"), &id.path())?;
    let written_at = find(state, id)?.created_at;
    // While a lag hides the identity, its credentials are refused as if it did not exist.
    if context.lags_in(Operation::FederatedPut, &id.path(), written_at) {
        return Err(not_found(id));
    }
    let Body { properties } = context.body()?;
    check_name(name)?;
    check_properties(&properties)?;
    let identity = state
        .identities
        .get_mut(&id.key())
        .ok_or_else(|| not_found(id))?;
    let key = normalize(name);
    check_unique(identity, &key, &properties)?;
    if !identity.federated.contains_key(&key) && identity.federated.len() >= LIMIT {
        return Err(too_many());
    }
    let credential = FederatedCredential {
        name: name.into(),
        issuer: properties.issuer,
        subject: properties.subject,
        audiences: properties.audiences,
    };
    let body = render(id, &credential);
    let entry = Federated {
        credential,
        written_at: Instant::now(),
    };
    let status = match identity.federated.insert(key, entry) {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    Ok(Reply::json(status, &body))
}

fn too_many() -> ArmError {
    bad(format!(
        "A managed identity may have at most {LIMIT} federated identity credentials."
    ))
}

/// No other credential of the identity may have the same issuer and subject.
fn check_unique(identity: &Identity, key: &str, properties: &Properties) -> Result<()> {
    let taken = identity.federated.iter().any(|(other, f)| {
        other != key
            && f.credential.issuer == properties.issuer
            && f.credential.subject == properties.subject
    });
    if !taken {
        return Ok(());
    }
    Err(bad(
        "Issuer and subject combination already exists for this Managed Identity.",
    ))
}

pub(super) fn delete(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
    name: &str,
) -> Result<Reply> {
    context.require(state, &action("delete"), &id.path())?;
    let identity = state
        .identities
        .get_mut(&id.key())
        .ok_or_else(|| not_found(id))?;
    let status = match identity.federated.remove(&normalize(name)) {
        Some(_) => StatusCode::OK,
        None => StatusCode::NO_CONTENT,
    };
    Ok(Reply::empty(status))
}

pub(super) fn list(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(state, &action("read"), &id.path())?;
    let items = find(state, id)?
        .federated
        .values()
        .map(|f| render(id, &f.credential));
    context.page(items.collect())
}

fn bad(message: impl Into<String>) -> ArmError {
    ArmError::bad_request("BadRequest", message)
}

/// Azure's rule: `^[a-zA-Z0-9]{1}[a-zA-Z0-9-_]{2,119}$`.
fn check_name(name: &str) -> Result<()> {
    let fits = (3..=120).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        Ok(())
    } else {
        Err(bad(format!(
            "'{name}' is not a name of a federated identity credential."
        )))
    }
}

fn check_properties(properties: &Properties) -> Result<()> {
    let Properties {
        issuer,
        subject,
        audiences,
    } = properties;
    if issuer.is_empty() || subject.is_empty() || audiences.is_empty() {
        return Err(bad(
            "Issuer, subject and audiences of a federated identity credential must be specified.",
        ));
    }
    let [audience] = &audiences[..] else {
        return Err(bad(
            "A federated identity credential must have exactly one audience.",
        ));
    };
    if [issuer, subject, audience]
        .iter()
        .any(|text| text.chars().count() > LENGTH)
    {
        return Err(bad(format!(
            "Issuer, subject and audience may have at most {LENGTH} characters."
        )));
    }
    Ok(())
}

fn render(id: &ResourceId, credential: &FederatedCredential) -> Value {
    let FederatedCredential {
        name,
        issuer,
        subject,
        audiences,
    } = credential;
    json!({
        "id": format!("{}/federatedIdentityCredentials/{name}", id.path()),
        "name": name,
        "type": TYPE,
        "properties": {"issuer": issuer, "subject": subject, "audiences": audiences},
    })
}
