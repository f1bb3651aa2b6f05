//! The tenant's directory: applications, identities, and the issuers they trust.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Place;

/// A value that must not reach a log: its `Debug` shows only that there is one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    /// The value itself; use it where it is compared or answered, nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Sensitive {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// An app registration with its service principal in the tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Application {
    /// Display name, also what role assignments of this world call it.
    pub name: String,
    /// Application (client) id; made from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Object id of the service principal; made from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Client secrets.
    pub secrets: Vec<Secret>,
    /// Registered certificates, PEM.
    pub certificates: Vec<String>,
    /// External tokens it accepts as its own credential.
    pub federated_credentials: Vec<FederatedCredential>,
}

/// A client secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Secret {
    /// The secret.
    pub value: Sensitive,
    /// When it stops working; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
}

/// A user-assigned managed identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Resource name.
    pub name: String,
    /// Where it lives.
    #[serde(flatten)]
    pub place: Place,
    /// Client id; made from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Principal id; made from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
    /// External tokens it accepts.
    pub federated_credentials: Vec<FederatedCredential>,
}

/// Trust in the tokens of an OIDC issuer, for one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedCredential {
    /// Resource name.
    pub name: String,
    /// The token's `iss`, exactly.
    pub issuer: String,
    /// The token's `sub`, exactly.
    pub subject: String,
    /// The token's `aud`; one entry.
    #[serde(default = "default_audiences")]
    pub audiences: Vec<String>,
}

fn default_audiences() -> Vec<String> {
    vec!["api://AzureADTokenExchange".into()]
}

/// How to reach an issuer's keys when its own address, or the machine's trusted roots, will not do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Issuer {
    /// The issuer as tokens spell it.
    pub issuer: String,
    /// Base address to fetch `.well-known/openid-configuration` from instead of the issuer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// Address of the keys; skips discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// PEM of the certificate authority of that address, the only one then trusted for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The keys themselves; nothing is fetched then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
}
