//! Access tokens: real JWTs, signed with a key of the simulator's own and checked by its services.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::Request;

/// Clock difference services forgive, in seconds.
const SKEW: i64 = 300;

/// The signing key cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// No key, or no certificate for it.
    #[error("cannot make the token signing key")]
    Key(#[from] rcgen::Error),
    /// The JWT library does not take it.
    #[error("cannot use the token signing key")]
    Jwt(#[from] jsonwebtoken::errors::Error),
}

/// Signs and checks tokens.
pub(crate) struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    /// The published key.
    jwk: Value,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A token and the span it is good for.
#[derive(Clone)]
pub(crate) struct Minted {
    pub(crate) token: String,
    pub(crate) not_before: i64,
    pub(crate) expires: i64,
    pub(crate) born: Instant,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Who a token is for.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    /// `1` for a secret, `2` for a certificate or a managed identity.
    pub(crate) strength: &'static str,
    /// Resource id of the managed identity.
    pub(crate) identity: Option<String>,
    /// Resource id of the machine that asked.
    pub(crate) machine: Option<String>,
}

/// The claims services look at.
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
pub(crate) enum Refused {
    Missing,
    Malformed,
    /// Wrong signature or issuer.
    Forged,
    Audience(String),
    Expired(Timestamp),
    NotYet,
}

impl Signer {
    /// A signer with a new RSA key of 2048 bits.
    pub(crate) fn generate() -> Result<Self, SignerError> {
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

    /// The key set, with the issuer of a tenant.
    pub(crate) fn key_set(&self, issuer: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["issuer"] = json!(issuer);
        json!({"keys": [jwk]})
    }

    /// A token with the claims of a v1 app token.
    pub(crate) fn mint(
        &self,
        tenant: &str,
        audience: &str,
        subject: &Subject,
        now: i64,
        lifetime: u64,
    ) -> Result<Minted, SignerError> {
        let expires = now.saturating_add_unsigned(lifetime);
        let issuer = issuer_v1(tenant);
        let mut claims = json!({
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "aio": opaque(),
            "appid": subject.client_id,
            "appidacr": subject.strength,
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
        if let Some(machine) = &subject.machine {
            claims["xms_az_rid"] = json!(machine);
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        header.x5t = Some(self.key_id.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding)?;
        Ok(Minted {
            token,
            not_before: now,
            expires,
            born: Instant::now(),
        })
    }

    /// Who sent a request, if its token is one of this tenant's for one of these audiences.
    pub(crate) fn caller(
        &self,
        request: &Request,
        tenant: &str,
        audiences: &[&str],
        now: i64,
    ) -> Result<Caller, Refused> {
        let token = match request.bearer() {
            None => return Err(Refused::Missing),
            Some("") => return Err(Refused::Malformed),
            Some(token) => token,
        };
        let mut checks = Validation::new(Algorithm::RS256);
        // Audience and time are checked below, to answer each failure in Azure's own words.
        checks.validate_exp = false;
        checks.validate_aud = false;
        let caller = jsonwebtoken::decode::<Caller>(token, &self.decoding, &checks)
            .map_err(|e| match e.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => Refused::Forged,
                _ => Refused::Malformed,
            })?
            .claims;
        if caller.tid != tenant || caller.iss != issuer_v1(tenant) {
            return Err(Refused::Forged);
        }
        let audience = caller.aud.trim_end_matches('/');
        if !audiences
            .iter()
            .any(|a| a.trim_end_matches('/').eq_ignore_ascii_case(audience))
        {
            return Err(Refused::Audience(caller.aud));
        }
        if caller.exp < now {
            return Err(Refused::Expired(
                Timestamp::from_second(caller.exp).unwrap_or_default(),
            ));
        }
        if caller.nbf > now + SKEW {
            return Err(Refused::NotYet);
        }
        Ok(caller)
    }
}

/// The issuer of the tokens Azure's own services take.
pub(crate) fn issuer_v1(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Claims that mean nothing to anybody but Entra.
fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes())
}
