//! Assertions of a trusted OIDC issuer. A federated credential must match their issuer, audience and
//! subject; then the signature is verified with the issuer's real keys.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::claims::Claims;
use super::error::{EntraError, Result};
use crate::operation::Operation;
use crate::resources::Client;
use crate::seed::{FederatedCredential, Issuer};
use crate::shared::Shared;

/// Time an issuer has to answer one request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

pub(super) async fn check(
    shared: &Shared,
    assertion: &str,
    claims: &Claims,
    client: &Client,
) -> Result<()> {
    let written_at = match_record(claims, client)?;
    let resource = format!("{}/{}", shared.state().tenant, client.client_id());
    let lags = |at| shared.faults().lags(Operation::EntraToken, &resource, at);
    if written_at.is_some_and(lags) {
        return Err(no_record(700_213, "subject", &claims.sub));
    }
    let issuer = shared.state().issuers.get(&claims.iss).cloned();
    let issuer = issuer.unwrap_or_else(|| Issuer {
        issuer: claims.iss.clone(),
        ..Issuer::default()
    });
    let keys = fetch_keys(&issuer).await.map_err(|problem| {
        tracing::warn!(issuer = %issuer.issuer, problem, "cannot get the keys of an issuer");
        EntraError::invalid_request(
            50_166,
            format!(
                "Request to External OIDC endpoint failed. Issuer: '{}', {problem}.",
                issuer.issuer
            ),
        )
    })?;
    verify(assertion, &keys)
}

/// When the matching credential was written. Without a match the error names the first of issuer,
/// audience and subject that no credential of the client has.
fn match_record(claims: &Claims, client: &Client) -> Result<Option<Instant>> {
    let audiences = claims.aud.all();
    let mut records: Vec<(&FederatedCredential, Option<Instant>)> = client.federated();
    records.retain(|(c, _)| c.issuer == claims.iss);
    if records.is_empty() {
        return Err(no_record(700_211, "issuer", &claims.iss));
    }
    records.retain(|(c, _)| c.audiences.iter().any(|a| audiences.contains(&a.as_str())));
    if records.is_empty() {
        return Err(no_record(
            700_212,
            "audience",
            audiences.first().unwrap_or(&""),
        ));
    }
    match records.iter().find(|(c, _)| c.subject == claims.sub) {
        Some((_, written_at)) => Ok(*written_at),
        None => Err(no_record(700_213, "subject", &claims.sub)),
    }
}

fn no_record(number: u32, what: &str, found: &str) -> EntraError {
    EntraError::invalid_client(
        number,
        format!(
            "No matching federated identity record found for presented assertion {what} '{found}'."
        ),
    )
}

fn verify(assertion: &str, keys: &JwkSet) -> Result<()> {
    let header = jsonwebtoken::decode_header(assertion)
        .ok()
        .filter(|h| h.alg == Algorithm::RS256);
    let Some(header) = header else {
        return Err(bad_signature("only RS256 is supported"));
    };
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        None => keys.keys.first(),
    };
    let Some(key) = key.and_then(|k| DecodingKey::from_jwk(k).ok()) else {
        return Err(EntraError::invalid_client(
            7_000_272,
            format!(
                "Signing key '{}' of the assertion is not found in the key set of its issuer.",
                header.kid.unwrap_or_default(),
            ),
        ));
    };
    let mut checks = Validation::new(Algorithm::RS256);
    checks.validate_exp = false;
    checks.validate_aud = false;
    jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &checks)
        .map(|_| ())
        .map_err(|_| bad_signature("the signature does not fit"))
}

fn bad_signature(reason: &str) -> EntraError {
    EntraError::invalid_client(
        50_013,
        format!("Assertion failed signature validation: {reason}."),
    )
}

/// The issuer's keys. They are fetched each time, so that a rotated key is effective at once.
async fn fetch_keys(issuer: &Issuer) -> std::result::Result<JwkSet, String> {
    if let Some(keys) = &issuer.jwks {
        return serde_json::from_value(keys.clone())
            .map_err(|e| format!("its keys are malformed: {e}"));
    }
    let client = http_client(issuer).map_err(|e| format!("no HTTP client for it: {e}"))?;
    let address = match &issuer.jwks_url {
        Some(address) => address.clone(),
        None => {
            let base = issuer.discovery_url.as_ref().unwrap_or(&issuer.issuer);
            let address = format!(
                "{}/.well-known/openid-configuration",
                base.trim_end_matches('/')
            );
            let found: Configuration = fetch(&client, &address).await?;
            if found.issuer != issuer.issuer {
                return Err(format!(
                    "{address} belongs to the issuer '{}'",
                    found.issuer
                ));
            }
            found.jwks_uri
        }
    };
    fetch(&client, &address).await
}

fn http_client(issuer: &Issuer) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder().timeout(FETCH_TIMEOUT).no_proxy();
    if let Some(ca) = &issuer.ca {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca.as_bytes())?);
    }
    builder.build()
}

async fn fetch<T: DeserializeOwned>(
    client: &reqwest::Client,
    address: &str,
) -> std::result::Result<T, String> {
    let failed = |e: &dyn std::error::Error| {
        let cause = std::iter::successors(Some(e), |e| e.source())
            .last()
            .map_or_else(String::new, ToString::to_string);
        format!("{address} cannot be read: {cause}")
    };
    let response = client.get(address).send().await.map_err(|e| failed(&e))?;
    let response = response.error_for_status().map_err(|e| failed(&e))?;
    response.json().await.map_err(|e| failed(&e))
}
