//! The token endpoints for client credentials.

use http::StatusCode;
use serde_json::json;

use super::error::{EntraError, Result};
use super::form::Form;
use super::route::Version;
use super::{assertion, discovery, resource};
use crate::answer::Answer;
use crate::message::{Reply, Request};
use crate::resources::Client;
use crate::shared::Shared;
use crate::tokens::{AccessToken, Subject};

/// The lifetime of an app token is random between these, in seconds.
const LIFETIME: (f64, f64) = (3600.0, 5400.0);

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
    let form = Form::read(request);
    check_grant_type(&form)?;
    let resource = resource_of(&form, version)?;
    let client_id = form.require("client_id")?;
    let client = shared
        .state()
        .client(client_id)
        .ok_or_else(|| unknown_client(client_id, &ours))?;
    let appidacr = authenticate(shared, request, &form, &client).await?;
    let subject = Subject {
        client_id: client_id.to_lowercase(),
        object_id: client.object_id().to_owned(),
        appidacr,
        identity: match &client {
            Client::App(_) => None,
            Client::Identity(identity) => Some(identity.id.path()),
        },
        azure_resource: None,
    };
    let token = issue_token(shared, &ours, &resource, &subject)?;
    Ok(Answer {
        principal: Some(subject.object_id),
        ..success(&token, &resource, version).into()
    })
}

fn check_grant_type(form: &Form) -> Result<()> {
    if form.require("grant_type")? == "client_credentials" {
        return Ok(());
    }
    Err(EntraError::new(
        70_003,
        "unsupported_grant_type",
        StatusCode::BAD_REQUEST,
        "The app requested an unsupported grant type; azure-sim simulates client_credentials.",
    ))
}

fn issue_token(
    shared: &Shared,
    tenant: &str,
    resource: &str,
    subject: &Subject,
) -> Result<AccessToken> {
    let mut state = shared.state();
    let audience = resource::audience(&state, resource)?;
    let lifetime = shared
        .clock
        .whole_seconds(state.random_between(LIFETIME.0, LIFETIME.1));
    drop(state);
    shared
        .token_issuer
        .issue_token(tenant, &audience, subject, shared.clock.epoch(), lifetime)
        .map_err(|e| {
            EntraError::new(
                90_055,
                "server_error",
                StatusCode::INTERNAL_SERVER_ERROR,
                e.to_string(),
            )
        })
}

/// v1 requests name a resource. v2 requests name a scope: the resource followed by `/.default`.
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

/// Verifies the client's credential and returns the claim `appidacr` for it.
async fn authenticate(
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
    let mut matching = app
        .registered
        .secrets
        .iter()
        .filter(|s| s.value.reveal() == secret)
        .peekable();
    if matching.peek().is_none() {
        return Err(wrong_secret(client));
    }
    if matching.all(|s| s.expires.is_some_and(|at| at <= shared.clock.now())) {
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

fn success(token: &AccessToken, resource: &str, version: Version) -> Reply {
    let left = token.expires - token.not_before;
    let body = match version {
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": left,
            "ext_expires_in": left,
            "access_token": token.jwt,
        }),
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": left.to_string(),
            "ext_expires_in": left.to_string(),
            "expires_on": token.expires.to_string(),
            "not_before": token.not_before.to_string(),
            "resource": resource,
            "access_token": token.jwt,
        }),
    };
    Reply::json(StatusCode::OK, &body)
        .with("cache-control", "no-store, no-cache")
        .with("pragma", "no-cache")
}
