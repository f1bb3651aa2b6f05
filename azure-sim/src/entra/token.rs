//! The token endpoints: who asks, by what proof, for what.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::error::{EntraError, Result};
use super::{Version, assertion, discovery, resource};
use crate::router::Answer;
use crate::shared::Shared;
use crate::state::Client;
use crate::tokens::{Minted, Subject};
use crate::wire::{Reply, Request};

/// Lifetimes of app tokens, in seconds: by chance between these.
const LIFETIME: (f64, f64) = (3600.0, 5400.0);

/// The form of a token request.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    fn require(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            EntraError::invalid_request(
                900_144,
                format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    }
}

pub(super) async fn issue(
    shared: &Shared,
    request: &Request,
    tenant: &str,
    version: Version,
) -> Result<Answer> {
    let ours = shared.state().tenant.clone();
    if tenant != ours {
        return Err(discovery::unknown_tenant(tenant));
    }
    let form = read_form(request);
    if form.require("grant_type")? != "client_credentials" {
        return Err(EntraError::new(
            70_003,
            "unsupported_grant_type",
            StatusCode::BAD_REQUEST,
            "The app requested an unsupported grant type; azure-sim simulates client_credentials.",
        ));
    }
    let resource = resource_of(&form, version)?;
    let client_id = form.require("client_id")?;
    let client = shared
        .state()
        .client(client_id)
        .ok_or_else(|| unknown_client(client_id, &ours))?;
    let strength = prove(shared, request, &form, &client).await?;
    let subject = Subject {
        client_id: client_id.to_lowercase(),
        object_id: client.object_id().to_owned(),
        strength,
        identity: match &client {
            Client::App(_) => None,
            Client::Identity(identity) => Some(identity.id.path()),
        },
        machine: None,
    };
    let minted = mint(shared, &ours, &resource, &subject)?;
    let reply = success(&minted, &resource, version)
        .with("cache-control", "no-store, no-cache")
        .with("pragma", "no-cache");
    Ok(Answer {
        reply,
        principal: Some(subject.object_id),
    })
}

fn mint(shared: &Shared, tenant: &str, resource: &str, subject: &Subject) -> Result<Minted> {
    let mut state = shared.state();
    let audience = resource::audience(&state, resource)?;
    let lifetime = shared
        .clock
        .whole_seconds(state.between(LIFETIME.0, LIFETIME.1));
    drop(state);
    shared
        .signer
        .mint(tenant, &audience, subject, shared.clock.epoch(), lifetime)
        .map_err(|e| {
            EntraError::new(
                90_055,
                "server_error",
                StatusCode::INTERNAL_SERVER_ERROR,
                e.to_string(),
            )
        })
}

/// The form, with the client taken from HTTP Basic if it comes that way.
fn read_form(request: &Request) -> Form {
    let mut form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    let basic = request
        .header("authorization")
        .and_then(|v| v.strip_prefix("Basic "))
        .and_then(|v| STANDARD.decode(v.trim()).ok())
        .and_then(|v| String::from_utf8(v).ok());
    if let Some((id, secret)) = basic.as_deref().and_then(|b| b.split_once(':')) {
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        form.insert("client_id".into(), decoded(id));
        form.insert("client_secret".into(), decoded(secret));
    }
    Form(form)
}

/// v1 names a resource; v2 a scope, of which the part before the last slash is the resource.
fn resource_of(form: &Form, version: Version) -> Result<String> {
    if version == Version::V1 {
        return Ok(form.require("resource")?.to_owned());
    }
    let extras = ["offline_access", "openid", "profile"];
    let scopes: Vec<_> = form
        .require("scope")?
        .split_whitespace()
        .filter(|s| !extras.contains(s))
        .collect();
    let [scope] = scopes[..] else {
        return Err(EntraError::new(
            70_011,
            "invalid_scope",
            StatusCode::BAD_REQUEST,
            "The provided value for the input parameter 'scope' is not valid: one resource is expected.",
        ));
    };
    match scope.strip_suffix("/.default") {
        Some(resource) => Ok(resource.to_owned()),
        None => Err(EntraError::new(
            1_002_012,
            "invalid_scope",
            StatusCode::BAD_REQUEST,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must \
                 have a scope value with /.default suffixed to the resource identifier (application \
                 ID URI)."
            ),
        )),
    }
}

fn unknown_client(client_id: &str, tenant: &str) -> EntraError {
    let text = format!(
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This \
         can happen if the application has not been installed by the administrator of the tenant \
         or consented to by any user in the tenant. You may have sent your authentication request \
         to the wrong tenant."
    );
    EntraError::new(
        700_016,
        "unauthorized_client",
        StatusCode::BAD_REQUEST,
        text,
    )
}

/// Checks the client's proof and returns its strength, `appidacr`.
async fn prove(
    shared: &Shared,
    request: &Request,
    form: &Form,
    client: &Client,
) -> Result<&'static str> {
    if let Some(presented) = form.get("client_assertion") {
        assertion::check(shared, request, form, presented, client).await?;
        return Ok("2");
    }
    let Some(secret) = form.get("client_secret") else {
        return Err(EntraError::invalid_client(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ));
    };
    check_secret(shared, secret, client).map(|()| "1")
}

fn check_secret(shared: &Shared, secret: &str, client: &Client) -> Result<()> {
    let Client::App(app) = client else {
        return Err(wrong_secret(client));
    };
    let mut fitting = app
        .registered
        .secrets
        .iter()
        .filter(|s| s.value.reveal() == secret)
        .peekable();
    if fitting.peek().is_none() {
        return Err(wrong_secret(client));
    }
    if fitting.all(|s| s.expires.is_some_and(|at| at <= shared.clock.now())) {
        return Err(EntraError::invalid_client(
            7_000_222,
            format!(
                "The provided client secret keys for app '{}' are expired.",
                app.client_id
            ),
        ));
    }
    Ok(())
}

fn wrong_secret(client: &Client) -> EntraError {
    let id = client.client_id();
    EntraError::invalid_client(
        7_000_215,
        format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the \
             client secret value, not the client secret ID, for a secret added to app '{id}'."
        ),
    )
}

fn success(minted: &Minted, resource: &str, version: Version) -> Reply {
    let left = minted.expires - minted.not_before;
    let body = match version {
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": left,
            "ext_expires_in": left,
            "access_token": minted.token,
        }),
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": left.to_string(),
            "ext_expires_in": left.to_string(),
            "expires_on": minted.expires.to_string(),
            "not_before": minted.not_before.to_string(),
            "resource": resource,
            "access_token": minted.token,
        }),
    };
    Reply::json(StatusCode::OK, &body)
}
