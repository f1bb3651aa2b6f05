//! Keys, assertions and token requests.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{Got, Lab};

pub(super) const ISSUER: &str = "https://issuer.example/cluster/";
pub(super) const SUBJECT: &str = "system:serviceaccount:podid-system:podid-operator";
pub(super) const AUDIENCE: &str = "api://AzureADTokenExchange";
pub(super) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An RSA key and everything made from it.
pub(super) struct Key {
    pub(super) pem: String,
    pub(super) cert: rcgen::Certificate,
    pub(super) encoding: EncodingKey,
}

impl Key {
    pub(super) fn new() -> Self {
        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
                .unwrap();
        let cert = rcgen::CertificateParams::default()
            .self_signed(&pair)
            .unwrap();
        let encoding = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self {
            pem: cert.pem(),
            cert,
            encoding,
        }
    }

    pub(super) fn key_set(&self, kid: &str) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(&self.encoding, Algorithm::RS256).unwrap());
        jwk["kid"] = json!(kid);
        json!({"keys": [jwk]})
    }

    pub(super) fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.encoding).unwrap()
    }

    pub(super) fn external(&self, kid: &str, change: Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "nbf": now - 1, "exp": now + 600});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.into());
        self.sign(&header, &claims)
    }
}

pub(super) fn error_of(got: &Got) -> (u16, String, u64) {
    let body = got.json();
    let number = body["error_codes"][0].as_u64().unwrap();
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.starts_with(&format!("AADSTS{number}: ")),
        "{description}"
    );
    for part in ["Trace ID: ", "Correlation ID: ", "Timestamp: "] {
        assert!(description.contains(part), "{description}");
    }
    assert_eq!(
        body["error_uri"],
        format!("https://login.microsoftonline.com/error?code={number}")
    );
    (
        got.status,
        body["error"].as_str().unwrap().to_owned(),
        number,
    )
}

pub(super) async fn assert_with(lab: &Lab, client: &str, assertion: &str) -> Got {
    lab.token_request(&[
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", KIND),
        ("client_assertion", assertion),
        ("scope", "https://management.azure.com//.default"),
    ])
    .await
}
