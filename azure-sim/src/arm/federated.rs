//! Federated credentials of a user-assigned identity.

use std::time::Instant;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::{ArmError, Result};
use super::identity::{find, not_found};
use crate::operation::Operation;
use crate::state::ids::{ResourceId, fold};
use crate::state::{Federated, State};
use crate::wire::Reply;
use crate::world::FederatedCredential;

const TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
/// Credentials one identity may have.
const LIMIT: usize = 20;
/// Characters of an issuer, subject or audience.
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
    match find(state, id)?.federated.get(&fold(name)) {
        Some(found) if !context.lags(found.born) => {
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
    let born = find(state, id)?.born;
    // A credential on an identity that is not known everywhere yet fails like one without parent.
    if context.lags_in(Operation::FederatedPut, &id.path(), born) {
        return Err(not_found(id));
    }
    let Body { properties } = context.body()?;
    check_name(name)?;
    check_properties(&properties)?;
    let identity = state
        .identities
        .get_mut(&id.key())
        .ok_or_else(|| not_found(id))?;
    let key = fold(name);
    let known = identity.federated.contains_key(&key);
    let taken = identity.federated.iter().any(|(other, f)| {
        *other != key
            && f.credential.issuer == properties.issuer
            && f.credential.subject == properties.subject
    });
    if taken {
        return Err(bad(
            "Issuer and subject combination already exists for this Managed Identity.",
        ));
    }
    if !known && identity.federated.len() >= LIMIT {
        return Err(bad(format!(
            "A managed identity may have at most {LIMIT} federated identity credentials."
        )));
    }
    let Properties {
        issuer,
        subject,
        audiences,
    } = properties;
    let credential = FederatedCredential {
        name: name.into(),
        issuer,
        subject,
        audiences,
    };
    let body = render(id, &credential);
    identity.federated.insert(
        key,
        Federated {
            credential,
            born: Instant::now(),
        },
    );
    Ok(Reply::json(
        if known {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        },
        &body,
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
    let status = match identity.federated.remove(&fold(name)) {
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

/// `^[a-zA-Z0-9]{1}[a-zA-Z0-9-_]{2,119}$`
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
