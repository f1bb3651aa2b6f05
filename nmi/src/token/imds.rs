//! Tokens from the node's own metadata service, for identities that the operator has assigned to the
//! node.

use async_trait::async_trait;
use podid_azure::{ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens as _};
use podid_core::resolve::{UnknownIdentity, is_token_of, wait_for_imds};
use tokio::time::{Instant, timeout};

use super::error::{self, TokenError};
use super::imds_lag::ImdsLag;
use super::shared_imds::SharedImds;
use super::{IssuedToken, TokenIssuer, TokenRequest};

/// The node's metadata service.
#[derive(Debug)]
pub(crate) struct NodeImds {
    imds: SharedImds,
    /// Identities that the metadata service does not know yet.
    lag: ImdsLag,
}

impl NodeImds {
    pub(crate) fn new(imds: SharedImds) -> Self {
        Self {
            imds,
            lag: ImdsLag::default(),
        }
    }

    /// Asks at once, or after those who are waiting for the same identity. An identity that the
    /// service does not know is waited for as long as its assignment is young.
    async fn ask(
        &self,
        request: &TokenRequest<'_>,
        question: &ImdsTokenRequest,
    ) -> Result<ImdsToken, TokenError> {
        let id = &request.identity.resource_id;
        let imds = self.imds.asked_for(request.permit_owner());
        let waiter = match self.lag.waiters(id) {
            Some(waiter) => waiter,
            None => match imds.token(question).await {
                Err(error) if error.is_identity_not_found() => self.lag.wait_for(id),
                answered => return answered.map_err(error::from_imds),
            },
        };
        let now = Instant::now();
        let assigned_for = request
            .assigned_since
            .map(|since| now.saturating_duration_since(since));
        let at_most = request.deadline.saturating_duration_since(now);
        let (wait, unknown) = wait_for_imds(assigned_for, at_most);
        match timeout(wait, waiter.ask(&imds, question)).await {
            Ok(answered) => answered.map_err(error::from_imds),
            Err(_late) => Err(match unknown {
                UnknownIdentity::Lost => error::unknown_to_imds(request.identity),
                UnknownIdentity::NotYet => error::not_known_yet(),
            }),
        }
    }
}

#[async_trait]
impl TokenIssuer for NodeImds {
    async fn token(&self, request: TokenRequest<'_>) -> Result<IssuedToken, TokenError> {
        let (identity, pod_uid) = (request.identity, &request.pod.pod.uid);
        tracing::trace!(pod_uid, "asking the metadata service");
        let question = ImdsTokenRequest {
            // The operator assigned the identity by its resource id, and whoever may write an
            // AzureIdentity chooses its client id freely. So only the resource id says which
            // identity is meant.
            identity: ImdsIdentity::ResourceId(identity.resource_id.as_str().to_owned()),
            resource: request.resource.to_owned(),
            headers: request.headers.clone(),
            bypass_cache: request.bypass_cache,
        };
        let token = self.ask(&request, &question).await?;
        match is_token_of(&token.client_id, identity) {
            true => Ok(IssuedToken::fresh(token)),
            false => Err(error::client_id_mismatch(identity, &token.client_id)),
        }
    }
}
