//! Documents that SDKs read before they request a token. Their addresses have the host and port of
//! the request, so that they are right on a loopback port too. The issuer is always Azure's.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::EntraError;
use super::route::Version;
use crate::host_names::{ENTRA_HOST, ENTRA_HOSTS};
use crate::message::{Reply, Request};
use crate::shared::Shared;
use crate::tokens::issuer_v1;

/// Names that clients may use instead of a tenant.
const ANY: &[&str] = &["common", "organizations", "consumers"];

pub(super) fn configuration(
    shared: &Shared,
    request: &Request,
    tenant: &str,
    version: Version,
) -> Reply {
    let ours = shared.state().tenant.clone();
    if tenant != ours && !ANY.contains(&tenant) {
        return unknown_tenant(tenant).reply(shared.clock.now());
    }
    let base = format!("https://{}/{tenant}", request.authority);
    let (prefix, issuer) = match version {
        Version::V1 => ("oauth2", issuer_v1(&ours)),
        Version::V2 => ("oauth2/v2.0", format!("https://{ENTRA_HOST}/{ours}/v2.0")),
    };
    let keys = match version {
        Version::V1 => "discovery/keys",
        Version::V2 => "discovery/v2.0/keys",
    };
    public(json!({
        "token_endpoint": format!("{base}/{prefix}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/{keys}"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/{prefix}/authorize"),
        "device_authorization_endpoint": format!("{base}/{prefix}/devicecode"),
        "end_session_endpoint": format!("{base}/{prefix}/logout"),
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver", "oid"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }))
}

pub(super) fn keys(shared: &Shared) -> Reply {
    let issuer = format!("https://{ENTRA_HOST}/{}/v2.0", shared.state().tenant);
    public(shared.token_issuer.key_set(&issuer))
}

pub(super) fn instance(request: &Request) -> Reply {
    let tenant = request
        .query("authorization_endpoint")
        .and_then(|url| url::Url::parse(url).ok())
        .and_then(|url| {
            url.path_segments()
                .and_then(|mut s| s.next().map(ToOwned::to_owned))
        })
        .unwrap_or_else(|| "common".into());
    public(json!({
        "tenant_discovery_endpoint":
            format!("https://{}/{tenant}/v2.0/.well-known/openid-configuration", request.authority),
        "api-version": "1.1",
        "metadata": [{
            "preferred_network": ENTRA_HOST,
            "preferred_cache": "login.windows.net",
            "aliases": ENTRA_HOSTS,
        }],
    }))
}

/// The error for a tenant that does not exist.
pub(super) fn unknown_tenant(tenant: &str) -> EntraError {
    if uuid::Uuid::parse_str(tenant).is_err() && !tenant.contains('.') {
        return EntraError::invalid_request(
            900_023,
            format!(
                "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid \
                 external domain."
            ),
        );
    }
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are \
         signing into the correct cloud."
    );
    EntraError::new(90_002, "invalid_tenant", StatusCode::BAD_REQUEST, text)
}

fn public(document: Value) -> Reply {
    Reply::json(StatusCode::OK, &document)
        .with("cache-control", "max-age=86400, private")
        .with("access-control-allow-origin", "*")
}
