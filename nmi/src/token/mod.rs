//! Where tokens come from. `podid_core::resolve` decides which source a request is served from; each
//! source is a file of its own beside `imds`, and [`DecidedSource`] asks the one that was decided on, behind the
//! [`TokenCache`]. Pods with an exception get tokens of the node's own identities instead, from [`NodeIdentityTokens`].

mod cache;
mod entra;
pub(crate) mod error;
mod flights;
mod imds;
mod imds_lag;
mod imds_limiter;
mod issued;
mod node_identities;
pub(crate) mod secrets;
mod shared_imds;
mod source;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use podid_azure::ClientHeaders;
use podid_core::binding::AzureIdentity;
use podid_core::resolve::CallingPod;
use podid_core::service_principal::ChosenPrincipal;
use tokio::time::Instant;

pub(crate) use cache::TokenCache;
pub(crate) use entra::EntraTokens;
pub(crate) use error::TokenError;
pub(crate) use imds::NodeImds;
pub(crate) use issued::{IssuedToken, TokenOrigin};
pub(crate) use node_identities::NodeIdentityTokens;
pub(crate) use secrets::ApiSecrets;
pub(crate) use shared_imds::SharedImds;
pub(crate) use source::DecidedSource;

use imds_limiter::PermitOwner;

/// What a source needs to know to issue a token to a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRequest<'a> {
    /// The pod that gets the token.
    pub(crate) pod: &'a CallingPod,
    /// The identity that the pod is bound to, and that the token must be of.
    pub(crate) identity: &'a AzureIdentity,
    /// How Entra is asked for it, if it is a service principal; else the node's metadata service is.
    pub(crate) principal: Option<&'a ChosenPrincipal>,
    /// Audience, as the pod wrote it.
    pub(crate) resource: &'a str,
    /// What the pod's SDK says about itself.
    pub(crate) headers: &'a ClientHeaders,
    /// Whether the pod asks for a token that nobody has kept.
    pub(crate) bypass_cache: bool,
    /// Whether nobody waits for the token yet.
    pub(crate) in_background: bool,
    /// When this daemon first saw that the identity is assigned to the pod's node. After a restart of the
    /// daemon that is the time of the restart.
    pub(crate) assigned_since: Option<Instant>,
    /// How long the pod may be kept waiting.
    pub(crate) deadline: Instant,
}

impl TokenRequest<'_> {
    fn permit_owner(&self) -> PermitOwner {
        match self.in_background {
            true => PermitOwner::Cache,
            false => PermitOwner::Pod(self.pod.pod.uid.clone()),
        }
    }
}

/// A source of tokens, or something in front of one.
#[async_trait]
pub(crate) trait TokenIssuer: fmt::Debug + Send + Sync {
    /// A token of the identity, in the form of the metadata service's answers.
    ///
    /// # Errors
    /// [`TokenError`], with the answer for the pod. A token of another identity is an error.
    async fn token(&self, request: TokenRequest<'_>) -> Result<IssuedToken, TokenError>;
}

/// All that tokens can come from.
#[derive(Debug)]
pub(crate) struct TokenSources {
    /// For whatever a pod is bound to.
    pub(crate) bound: Arc<dyn TokenIssuer>,
    /// For pods with an exception.
    pub(crate) node_identities: NodeIdentityTokens,
}
