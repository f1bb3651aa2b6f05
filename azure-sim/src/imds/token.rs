//! Tokens for the identities that are assigned to the VM, and for no others.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::json;

use super::error::{ImdsError, Result};
use crate::answer::Answer;
use crate::clock::Clock;
use crate::entra;
use crate::ids::normalize;
use crate::message::{Reply, Request};
use crate::operation::Operation;
use crate::resources::IdentityBlock;
use crate::shared::Shared;
use crate::state::State;
use crate::tokens::{AccessToken, Subject};

/// Lifetime of a managed identity's token, in seconds.
const LIFETIME: f64 = 86_400.0;
/// The metadata service caches a token for this long, in seconds.
const CACHED_FOR: f64 = 3_600.0;
/// Query parameters that select an identity. `mi_res_id` is not documented, but old SDKs send it.
const SELECTORS: &[&str] = &["client_id", "object_id", "msi_res_id", "mi_res_id"];

/// An identity that the VM can use.
#[derive(Debug)]
struct UsableIdentity {
    client_id: String,
    principal_id: String,
    /// Normalized id of a user-assigned identity; absent for the system-assigned one.
    key: Option<String>,
    /// The claim `xms_mirid`: the resource id of the identity, or of the VM.
    resource_id: String,
}

pub(super) fn answer(
    shared: &Shared,
    state: &mut State,
    request: &Request,
    vm: &str,
) -> Result<Answer> {
    refuse_repeated(request)?;
    let resource = value(request, "resource").ok_or_else(|| {
        ImdsError::invalid_request("Required query variable 'resource' is missing")
    })?;
    let usable = usable(shared, state, vm)?;
    let identity = choose(&usable, request)?;
    let audience = entra::known_audience(state, resource)
        .map_err(|e| ImdsError::Entra(e, shared.clock.now()))?;
    let token = token(shared, state, vm, identity, &audience)?;
    let left = (token.expires - shared.clock.epoch()).max(0).to_string();
    // The order of the fields matters: MSAL.NET reads `expires_in` and `expires_on` into one field,
    // and the last one counts.
    let body = json!({
        "access_token": token.jwt,
        "client_id": identity.client_id,
        "expires_in": left,
        "expires_on": token.expires.to_string(),
        "ext_expires_in": left,
        "not_before": token.not_before.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    });
    let reply = Reply::json(StatusCode::OK, &body);
    Ok(Answer {
        principal: Some(identity.principal_id.clone()),
        ..reply.into()
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

/// The identities that the VM can use now. Each is assigned to it or to its uniform scale set, the
/// operation that assigned it has ended, and it was not deleted since.
fn usable(shared: &Shared, state: &State, vm: &str) -> Result<Vec<UsableIdentity>> {
    let found = state.vm(vm).ok_or_else(ImdsError::identity_not_found)?;
    let IdentityBlock {
        system_assigned: system,
        user_assigned: users,
    } = &found.compute.identity;
    let system = system.as_ref().map(|s| UsableIdentity {
        client_id: s.client_id.clone(),
        principal_id: s.principal_id.clone(),
        key: None,
        resource_id: found.id.clone(),
    });
    let users = users.iter().filter(|(key, assigned)| {
        let current = state
            .identities
            .get(*key)
            .is_some_and(|i| i.client_id == assigned.client_id);
        // A fault on `imds.token` may select the VM or the identity.
        let both = format!("{vm} {key}");
        assigned.active
            && current
            && !shared
                .faults()
                .lags(Operation::ImdsToken, &both, assigned.active_since)
    });
    let users = users.map(|(key, assigned)| UsableIdentity {
        client_id: assigned.client_id.clone(),
        principal_id: assigned.principal_id.clone(),
        key: Some(key.clone()),
        resource_id: assigned.id.clone(),
    });
    Ok(system.into_iter().chain(users).collect())
}

fn choose<'a>(usable: &'a [UsableIdentity], request: &Request) -> Result<&'a UsableIdentity> {
    let invocation: Vec<_> = SELECTORS
        .iter()
        .filter_map(|name| Some((*name, value(request, name)?)))
        .collect();
    match invocation[..] {
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

fn default(usable: &[UsableIdentity]) -> Result<&UsableIdentity> {
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

impl UsableIdentity {
    fn is(&self, selector: &str, wanted: &str) -> bool {
        match selector {
            "client_id" => self.client_id.eq_ignore_ascii_case(wanted),
            "object_id" => self.principal_id.eq_ignore_ascii_case(wanted),
            _ => self
                .key
                .as_ref()
                .is_some_and(|key| *key == normalize(wanted)),
        }
    }
}

/// A cached token, or a new one.
fn token(
    shared: &Shared,
    state: &mut State,
    vm: &str,
    identity: &UsableIdentity,
    audience: &str,
) -> Result<AccessToken> {
    let now = shared.clock.epoch();
    let key = (
        vm.to_owned(),
        identity.client_id.clone(),
        audience.to_owned(),
    );
    if let Some(cached) = state
        .imds_tokens
        .get(&key)
        .filter(|t| fresh(t, shared.clock, now))
    {
        return Ok(cached.clone());
    }
    let subject = subject(state, vm, identity);
    let lifetime = shared.clock.whole_seconds(LIFETIME);
    let token = shared
        .token_issuer
        .issue_token(&state.tenant, audience, &subject, now, lifetime)
        .map_err(|e| {
            ImdsError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                e.to_string(),
            )
        })?;
    state.imds_tokens.insert(key, token.clone());
    Ok(token)
}

fn subject(state: &State, vm: &str, identity: &UsableIdentity) -> Subject {
    // Tokens of the system-assigned identity have no claim for the resource: it is the identity.
    let user_assigned = identity.key.is_some();
    let compute = state.vm(vm).map(|vm| vm.compute.id.path());
    Subject {
        client_id: identity.client_id.clone(),
        object_id: identity.principal_id.clone(),
        appidacr: "2",
        identity: Some(identity.resource_id.clone()),
        azure_resource: compute.filter(|_| user_assigned),
    }
}

fn fresh(token: &AccessToken, clock: Clock, now: i64) -> bool {
    clock.age(token.issued_at) < CACHED_FOR && token.expires > now
}
