//! Assertions that an application signs itself, with a certificate that is registered for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::claims::Claims;
use super::error::{EntraError, Result};
use crate::host_names::ENTRA_HOSTS;
use crate::message::Request;
use crate::resources::Client;

pub(super) fn check(
    request: &Request,
    assertion: &str,
    claims: &Claims,
    client: &Client,
) -> Result<()> {
    let Client::App(app) = client else {
        return Err(not_registered(None));
    };
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| not_registered(None))?;
    let (thumbprint, sha256) = match (&header.x5t_s256, &header.x5t) {
        (Some(text), _) => (text, true),
        (None, Some(text)) => (text, false),
        (None, None) => return Err(not_registered(None)),
    };
    let wanted = decode(thumbprint).ok_or_else(|| not_registered(Some(thumbprint)))?;
    let der = app
        .registered
        .certificates
        .iter()
        .filter_map(|pem| x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok())
        .map(|(_, pem)| pem.contents)
        .find(|der| digest(der, sha256) == wanted)
        .ok_or_else(|| not_registered(Some(thumbprint)))?;
    let (_, certificate) =
        X509Certificate::from_der(&der).map_err(|_| not_registered(Some(thumbprint)))?;
    if !certificate.validity().is_valid() {
        return Err(invalid(
            "The certificate used by the client is outside its validity period",
        ));
    }
    let key = DecodingKey::from_rsa_der(&certificate.public_key().subject_public_key.data);
    verify(assertion, header.alg, &key)?;
    if claims.sub != claims.iss || !claims.aud.all().iter().any(|a| is_endpoint(a, request)) {
        return Err(EntraError::invalid_client(
            50_012,
            "The audience or subject of the client assertion is not the token endpoint and the client.",
        ));
    }
    Ok(())
}

fn verify(assertion: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<()> {
    if !matches!(algorithm, Algorithm::RS256 | Algorithm::PS256) {
        return Err(invalid("The signing algorithm is not supported"));
    }
    let mut checks = Validation::new(algorithm);
    checks.validate_exp = false;
    checks.validate_aud = false;
    jsonwebtoken::decode::<serde_json::Value>(assertion, key, &checks)
        .map(|_| ())
        .map_err(|_| invalid("Client assertion contains an invalid signature"))
}

/// Whether an `aud` is the tenant's token endpoint: at Azure's host, or at the host of the request.
fn is_endpoint(audience: &str, request: &Request) -> bool {
    let Ok(url) = url::Url::parse(audience) else {
        return false;
    };
    let here = url
        .host_str()
        .is_some_and(|h| ENTRA_HOSTS.contains(&h) || h == request.host);
    let same_tenant = |path: &str| {
        path.trim_start_matches('/')
            .split('/')
            .next()
            .map(str::to_lowercase)
    };
    here && same_tenant(url.path()) == same_tenant(&request.path)
}

/// Clients encode thumbprints in either base64 alphabet, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain = text
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    STANDARD_NO_PAD.decode(plain).ok()
}

fn digest(der: &[u8], sha256: bool) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
    let algorithm = if sha256 {
        &SHA256
    } else {
        &SHA1_FOR_LEGACY_USE_ONLY
    };
    digest(algorithm, der).as_ref().to_vec()
}

fn not_registered(thumbprint: Option<&str>) -> EntraError {
    let shown = thumbprint.unwrap_or_default();
    invalid(&format!(
        "The certificate with identifier used to sign the client assertion is not registered on \
         application. [Reason - The key was not found., Thumbprint of key used by client: '{shown}']"
    ))
}

fn invalid(text: &str) -> EntraError {
    EntraError::invalid_client(700_027, text)
}
