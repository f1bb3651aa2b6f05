//! The token by which an application proves to Entra that it has the private key of its certificate.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use uuid::Uuid;

use super::{ClientCertificate, PrincipalError};
use crate::Secret;

/// The value of `client_assertion_type`.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good: Entra advises five to ten minutes.
const LIFE: u64 = 5 * 60;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
    /// For applications that trust the name and the issuer of a certificate, and not its thumbprint.
    x5c: Vec<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: u64,
    iat: u64,
    exp: u64,
}

/// An assertion for the token endpoint `url`.
pub(super) fn sign(
    certificate: &ClientCertificate,
    client_id: &str,
    url: &str,
) -> Result<Secret, PrincipalError> {
    let header = Header {
        alg: "PS256",
        typ: "JWT",
        thumbprint: URL_SAFE_NO_PAD.encode(certificate.thumbprint()),
        x5c: certificate
            .chain()
            .map(|one| STANDARD.encode(one))
            .collect(),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = now.as_secs();
    let claims = Claims {
        aud: url,
        iss: client_id,
        sub: client_id,
        jti: Uuid::new_v4().to_string(),
        nbf: now,
        iat: now,
        exp: now + LIFE,
    };
    let signed = format!("{}.{}", part(&header)?, part(&claims)?);
    let signature = signature(certificate.key(), signed.as_bytes())?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(Secret::new(format!("{signed}.{signature}")))
}

fn part(value: &impl Serialize) -> Result<String, PrincipalError> {
    let json = serde_json::to_vec(value).map_err(|_| PrincipalError::Signing)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

fn signature(key: &KeyPair, text: &[u8]) -> Result<Vec<u8>, PrincipalError> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature)
        .map_err(|_| PrincipalError::Signing)?;
    Ok(signature)
}
