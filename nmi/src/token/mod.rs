//! Where tokens come from. `podid_core::resolve` decides which source a request is served from; each
//! source is a [`TokenIssuer`], and a file of its own beside `imds`.

pub(crate) mod error;
mod imds;
mod imds_lag;

use std::fmt;

use async_trait::async_trait;
use podid_azure::{ClientHeaders, ImdsToken};
use podid_core::binding::AzureIdentity;
use tokio::time::Instant;

pub(crate) use error::TokenError;
#[cfg(test)]
pub(crate) use imds::LAG;
pub(crate) use imds::NodeImds;

/// What a source needs to know to issue a token to a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRequest<'a> {
    /// `metadata.uid` of the pod that gets the token.
    pub(crate) pod_uid: &'a str,
    /// The identity that the pod is bound to, and that the token must be of.
    pub(crate) identity: &'a AzureIdentity,
    /// Audience, as the pod wrote it.
    pub(crate) resource: &'a str,
    /// What the pod's SDK says about itself.
    pub(crate) headers: &'a ClientHeaders,
    /// Since when this daemon knows that the identity is assigned to the pod's node.
    pub(crate) assigned_since: Option<Instant>,
    /// How long the pod may be kept waiting.
    pub(crate) deadline: Instant,
}

/// A source of tokens.
#[async_trait]
pub(crate) trait TokenIssuer: fmt::Debug + Send + Sync {
    /// A token of the identity, in the form of the metadata service's answers.
    ///
    /// # Errors
    /// [`TokenError`], with the answer for the pod. A token of another identity is an error.
    async fn token(&self, request: TokenRequest<'_>) -> Result<ImdsToken, TokenError>;
}
