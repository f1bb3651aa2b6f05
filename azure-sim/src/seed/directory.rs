//! The seed of the tenant's directory: applications, identities, and the issuers they trust.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::sensitive::Sensitive;

/// An app registration with its service principal in the tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Application {
    /// Display name; role assignments of this seed may refer to it.
    pub name: String,
    /// Application (client) id; derived from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Object id of the service principal; derived from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Client secrets.
    pub secrets: Vec<Secret>,
    /// Registered certificates in PEM.
    pub certificates: Vec<String>,
    /// External tokens that it accepts as its own credential.
    pub federated_credentials: Vec<FederatedCredential>,
}

/// A client secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Secret {
    /// The text that the client sends.
    pub value: Sensitive,
    /// Time of expiry; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
}

/// A user-assigned managed identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Resource name.
    pub name: String,
    /// Subscription, group and region.
    #[serde(flatten)]
    pub place: Place,
    /// Client id; derived from the resource id if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Principal id; derived from the resource id if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
    /// External tokens that it accepts as its own credential.
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

/// How to get an issuer's keys when its own address cannot be used, or when its certificate is not
/// trusted by the operating system.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Issuer {
    /// The issuer, exactly as tokens state it.
    pub issuer: String,
    /// Base address of `.well-known/openid-configuration`, instead of the issuer's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// Address of the keys. Discovery is then skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// PEM of the certificate authority of that address. No other is then trusted for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The keys themselves. Nothing is then fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
}
