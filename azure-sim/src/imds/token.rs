//! Tokens for the identities on this machine, and for no other.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::json;

use super::error::{ImdsError, Result};
use crate::clock::Clock;
use crate::entra;
use crate::operation::Operation;
use crate::router::Answer;
use crate::shared::Shared;
use crate::state::{IdentityBlock, State, ids::fold};
use crate::tokens::{Minted, Subject};
use crate::wire::{Reply, Request};

/// Lifetime of a managed identity's token, in seconds.
const LIFETIME: f64 = 86_400.0;
/// The back end keeps a token and gives it out again until it is this old.
const RENEW: f64 = 3_600.0;
/// The ways to name an identity; `mi_res_id` is not documented, but sent by old SDKs.
const SELECTORS: &[&str] = &["client_id", "object_id", "msi_res_id", "mi_res_id"];

/// An identity of the machine.
#[derive(Debug)]
struct Usable {
    client_id: String,
    principal_id: String,
    /// Folded id of a user-assigned identity.
    key: Option<String>,
    /// As `xms_mirid` shows it.
    shown: String,
}

pub(super) fn answer(
    shared: &Shared,
    state: &mut State,
    request: &Request,
    machine: &str,
) -> Result<Answer> {
    refuse_repeated(request)?;
    let resource = value(request, "resource").ok_or_else(|| {
        ImdsError::invalid_request("Required query variable 'resource' is missing")
    })?;
    let usable = usable(shared, state, machine)?;
    let identity = choose(&usable, request)?;
    let audience = entra::known_audience(state, resource)
        .map_err(|e| ImdsError::Entra(e, shared.clock.now()))?;
    let minted = token(shared, state, machine, identity, &audience)?;
    let left = (minted.expires - shared.clock.epoch()).max(0).to_string();
    // The order matters: MSAL.NET reads both times into one field, and the last one wins.
    let body = json!({
        "access_token": minted.token,
        "client_id": identity.client_id,
        "expires_in": left,
        "expires_on": minted.expires.to_string(),
        "ext_expires_in": left,
        "not_before": minted.not_before.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    let reply = Reply::json(StatusCode::OK, &body);
    Ok(Answer {
        reply,
        principal: Some(identity.principal_id.clone()),
    })
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let found = request.query.iter().find(|(k, _)| k == name);
    found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

fn refuse_repeated(request: &Request) -> Result<()> {
    let mut seen = HashSet::new();
    match request.query.iter().find(|(name, _)| !seen.insert(name)) {
        Some((name, _)) => Err(ImdsError::invalid_request(format!(
            "Query variable '{name}' is given more than once"
        ))),
        None => Ok(()),
    }
}

/// The identities this machine can use now: assigned to it or its scale set, in effect, and still
/// the ones that exist.
fn usable(shared: &Shared, state: &State, machine: &str) -> Result<Vec<Usable>> {
    let found = state
        .machine(machine)
        .ok_or_else(ImdsError::identity_not_found)?;
    let IdentityBlock { system, users } = &found.host.block;
    let system = system.as_ref().map(|s| Usable {
        client_id: s.client_id.clone(),
        principal_id: s.principal_id.clone(),
        key: None,
        shown: found.id.clone(),
    });
    let users = users.iter().filter(|(key, attached)| {
        let current = state
            .identities
            .get(*key)
            .is_some_and(|i| i.client_id == attached.client_id);
        // A lag may be aimed at the machine or at the identity.
        let both = format!("{machine} {key}");
        attached.active
            && current
            && !shared
                .faults()
                .lags(Operation::ImdsToken, &both, attached.since)
    });
    let users = users.map(|(key, attached)| Usable {
        client_id: attached.client_id.clone(),
        principal_id: attached.principal_id.clone(),
        key: Some(key.clone()),
        shown: attached.id.clone(),
    });
    Ok(system.into_iter().chain(users).collect())
}

fn choose<'a>(usable: &'a [Usable], request: &Request) -> Result<&'a Usable> {
    let named: Vec<_> = SELECTORS
        .iter()
        .filter_map(|name| Some((*name, value(request, name)?)))
        .collect();
    match named[..] {
        [] => default(usable),
        [(selector, wanted)] => usable
            .iter()
            .find(|u| u.is(selector, wanted))
            .ok_or_else(ImdsError::identity_not_found),
        _ => Err(ImdsError::invalid_request(
            "Only one of client_id, object_id, msi_res_id may be given",
        )),
    }
}

fn default(usable: &[Usable]) -> Result<&Usable> {
    match usable {
        [] => Err(ImdsError::identity_not_found()),
        [only] => Ok(only),
        many => many.iter().find(|u| u.key.is_none()).ok_or_else(|| {
            ImdsError::invalid_request(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
            )
        }),
    }
}

impl Usable {
    fn is(&self, selector: &str, wanted: &str) -> bool {
        match selector {
            "client_id" => self.client_id.eq_ignore_ascii_case(wanted),
            "object_id" => self.principal_id.eq_ignore_ascii_case(wanted),
            _ => self.key.as_ref().is_some_and(|key| *key == fold(wanted)),
        }
    }
}

fn token(
    shared: &Shared,
    state: &mut State,
    machine: &str,
    identity: &Usable,
    audience: &str,
) -> Result<Minted> {
    let now = shared.clock.epoch();
    let key = (
        machine.to_owned(),
        identity.client_id.clone(),
        audience.to_owned(),
    );
    if let Some(kept) = state
        .imds_tokens
        .get(&key)
        .filter(|m| fresh(m, shared.clock, now))
    {
        return Ok(kept.clone());
    }
    let host = state.machine(machine).map(|m| m.host.id.path());
    let subject = Subject {
        client_id: identity.client_id.clone(),
        object_id: identity.principal_id.clone(),
        strength: "2",
        identity: Some(identity.shown.clone()),
        machine: host.filter(|_| identity.key.is_some()),
    };
    let lifetime = shared.clock.whole_seconds(LIFETIME);
    let minted = shared
        .signer
        .mint(&state.tenant, audience, &subject, now, lifetime)
        .map_err(|e| {
            ImdsError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                e.to_string(),
            )
        })?;
    state.imds_tokens.insert(key, minted.clone());
    Ok(minted)
}

fn fresh(minted: &Minted, clock: Clock, now: i64) -> bool {
    clock.age(minted.born) < RENEW && minted.expires > now
}
