mod client;
mod error;
#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
#[cfg(feature = "principals")]
pub(crate) use client::number;
pub use client::{Imds, ImdsOptions};
pub use error::ImdsError;

use crate::Secret;

/// A request for a token of one of the VM's identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdsTokenRequest {
    /// Which identity.
    pub identity: ImdsIdentity,
    /// Audience of the token, passed on exactly as the caller wrote it: a trailing slash counts.
    pub resource: String,
    /// Headers of the caller's SDK that the real service passes on to Entra.
    pub headers: ClientHeaders,
    /// Whether the caller asks for a token that the service has not kept (`bypass_cache=true`).
    pub bypass_cache: bool,
}

/// Names one of the VM's identities by a query parameter of IMDS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImdsIdentity {
    /// By `client_id`.
    ClientId(String),
    /// By `object_id`.
    ObjectId(String),
    /// By `msi_res_id`.
    ResourceId(String),
    /// Not at all: the system-assigned one, or the only one.
    Unnamed,
}

impl ImdsIdentity {
    /// The query parameter that names it.
    fn parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::ClientId(id) => Some(("client_id", id)),
            Self::ObjectId(id) => Some(("object_id", id)),
            Self::ResourceId(id) => Some(("msi_res_id", id)),
            Self::Unnamed => None,
        }
    }
}

/// The three headers by which SDKs identify themselves to Entra. They are passed on if present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHeaders {
    /// `x-client-SKU`
    pub sku: Option<String>,
    /// `x-client-Ver`
    pub version: Option<String>,
    /// `x-ms-client-request-id`
    pub request_id: Option<String>,
}

/// A token as IMDS gives it.
///
/// The wire has every value as a string; the times are kept as IMDS wrote them, so that an answer
/// passed on says the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct ImdsToken {
    /// The bearer token.
    pub access_token: Secret,
    /// Client id of the identity it belongs to.
    #[serde(default)]
    pub client_id: String,
    /// Seconds left when IMDS answered.
    #[serde(deserialize_with = "client::number")]
    pub expires_in: u64,
    /// End of validity, seconds since 1970.
    #[serde(deserialize_with = "client::number")]
    pub expires_on: u64,
    /// As `expires_in`, for outages of Entra. Missing in some answers.
    #[serde(default, deserialize_with = "client::optional_number")]
    pub ext_expires_in: Option<u64>,
    /// Start of validity, seconds since 1970.
    #[serde(default, deserialize_with = "client::optional_number")]
    pub not_before: Option<u64>,
    /// Audience as asked.
    #[serde(default)]
    pub resource: String,
    /// `Bearer`.
    #[serde(default)]
    pub token_type: String,
}

/// Tokens from the Instance Metadata Service of the VM this process runs on.
///
/// **Guarantees.** One request per call: nothing is cached and nothing is retried here, so the
/// caller alone decides about both. Never through a proxy, never a redirect, never with an
/// `X-Forwarded-For` header. The call ends within the time given in [`ImdsOptions`].
///
/// **Assumptions.** The service allows 20 requests a second and 5 at a time per VM; callers
/// share answers.
///
/// **Errors.** [`ImdsError`]; [`ImdsError::Refused`] holds the answer for passing on.
#[async_trait]
pub trait ImdsTokens: Send + Sync + fmt::Debug {
    /// Asks for a token.
    async fn token(&self, request: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError>;
}
