//! Access tokens: real JWTs. The simulator signs them with a key of its own, and its services verify
//! them.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::message::Request;

/// Clock difference that services tolerate, in seconds.
const SKEW: i64 = 300;

/// The signing key cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenIssuerError {
    /// The key or its certificate cannot be generated.
    #[error("cannot make the token signing key")]
    Key(#[from] rcgen::Error),
    /// The JWT library does not accept the key.
    #[error("cannot use the token signing key")]
    Jwt(#[from] jsonwebtoken::errors::Error),
}

/// Signs and verifies tokens.
pub(crate) struct TokenIssuer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    /// The public key as Entra publishes it.
    jwk: Value,
}

impl std::fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A token and its validity. `Debug` does not show the token.
#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) jwt: String,
    /// Seconds since the epoch.
    pub(crate) not_before: i64,
    /// Seconds since the epoch.
    pub(crate) expires: i64,
    pub(crate) issued_at: Instant,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Who a token is for.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    /// The claim `appidacr`: `1` for a secret, `2` for a certificate or a managed identity.
    pub(crate) appidacr: &'static str,
    /// Resource id of the managed identity.
    pub(crate) identity: Option<String>,
    /// Resource id of the VM or scale set that the managed identity is assigned to.
    pub(crate) azure_resource: Option<String>,
}

/// The claims that services read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Caller {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) exp: i64,
    pub(crate) nbf: i64,
    pub(crate) oid: String,
    pub(crate) appid: String,
    pub(crate) tid: String,
}

/// Why a request's token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    Missing,
    Malformed,
    /// Wrong signature or issuer.
    Forged,
    Audience(String),
    Expired(Timestamp),
    NotYet,
}

impl TokenIssuer {
    /// An issuer with a new RSA key of 2048 bits.
    pub(crate) fn generate() -> Result<Self, TokenIssuerError> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "accounts.accesscontrol.windows.net");
        let cert = params.self_signed(&key)?;
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, cert.der());
        let key_id = URL_SAFE_NO_PAD.encode(digest);
        let encoding = EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes())?;
        let public = Jwk::from_encoding_key(&encoding, Algorithm::RS256)?;
        let decoding = DecodingKey::from_jwk(&public)?;
        let mut jwk = json!({"kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id});
        if let AlgorithmParameters::RSA(rsa) = &public.algorithm {
            jwk["n"] = json!(rsa.n);
            jwk["e"] = json!(rsa.e);
        }
        jwk["x5c"] = json!([STANDARD.encode(cert.der())]);
        Ok(Self {
            encoding,
            decoding,
            key_id,
            jwk,
        })
    }

    /// The JSON Web Key Set of the tenant with this issuer.
    pub(crate) fn key_set(&self, issuer: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["issuer"] = json!(issuer);
        json!({"keys": [jwk]})
    }

    /// A token with the claims of Entra's v1 app tokens. `now` and `lifetime` are in seconds.
    pub(crate) fn issue_token(
        &self,
        tenant: &str,
        audience: &str,
        subject: &Subject,
        now: i64,
        lifetime: u64,
    ) -> Result<AccessToken, TokenIssuerError> {
        let expires = now.saturating_add_unsigned(lifetime);
        let claims = claims(tenant, audience, subject, now, expires);
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        header.x5t = Some(self.key_id.clone());
        let jwt = jsonwebtoken::encode(&header, &claims, &self.encoding)?;
        Ok(AccessToken {
            jwt,
            not_before: now,
            expires,
            issued_at: Instant::now(),
        })
    }

    /// Who sent a request, if its bearer token is from this tenant and for one of these audiences.
    /// `now` is in seconds since the epoch.
    pub(crate) fn caller(
        &self,
        request: &Request,
        tenant: &str,
        audiences: &[&str],
        now: i64,
    ) -> Result<Caller, TokenError> {
        let token = match request.bearer() {
            None => return Err(TokenError::Missing),
            Some("") => return Err(TokenError::Malformed),
            Some(token) => token,
        };
        let caller = self.verify_signature(token)?;
        if caller.tid != tenant || caller.iss != issuer_v1(tenant) {
            return Err(TokenError::Forged);
        }
        let audience = caller.aud.trim_end_matches('/');
        if !audiences
            .iter()
            .any(|a| a.trim_end_matches('/').eq_ignore_ascii_case(audience))
        {
            return Err(TokenError::Audience(caller.aud));
        }
        if caller.exp < now {
            return Err(TokenError::Expired(
                Timestamp::from_second(caller.exp).unwrap_or_default(),
            ));
        }
        if caller.nbf > now + SKEW {
            return Err(TokenError::NotYet);
        }
        Ok(caller)
    }

    fn verify_signature(&self, token: &str) -> Result<Caller, TokenError> {
        let mut checks = Validation::new(Algorithm::RS256);
        // The caller checks audience and time, because Azure answers each failure differently.
        checks.validate_exp = false;
        checks.validate_aud = false;
        jsonwebtoken::decode::<Caller>(token, &self.decoding, &checks)
            .map(|decoded| decoded.claims)
            .map_err(|e| match e.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenError::Forged,
                _ => TokenError::Malformed,
            })
    }
}

/// The claims of Entra's v1 app tokens; `now` and `expires` are in seconds since the epoch.
fn claims(tenant: &str, audience: &str, subject: &Subject, now: i64, expires: i64) -> Value {
    let issuer = issuer_v1(tenant);
    let mut claims = json!({
        "aud": audience,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": expires,
        "aio": opaque(),
        "appid": subject.client_id,
        "appidacr": subject.appidacr,
        "idp": issuer,
        "idtyp": "app",
        "oid": subject.object_id,
        "rh": opaque(),
        "sub": subject.object_id,
        "tid": tenant,
        "uti": opaque(),
        "ver": "1.0",
    });
    if let Some(identity) = &subject.identity {
        claims["xms_mirid"] = json!(identity);
    }
    if let Some(resource) = &subject.azure_resource {
        claims["xms_az_rid"] = json!(resource);
    }
    claims
}

/// The `iss` claim in tokens for Azure's services. They expect v1 tokens.
pub(crate) fn issuer_v1(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// A random value for claims that only Entra interprets.
fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes())
}
