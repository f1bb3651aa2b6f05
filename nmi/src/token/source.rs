//! The source of each token, behind the cache.

use async_trait::async_trait;

use super::entra::EntraTokens;
use super::imds::NodeImds;
use super::{IssuedToken, TokenError, TokenIssuer, TokenRequest};

/// Asks the source that the decision names.
#[derive(Debug)]
pub(crate) struct DecidedSource {
    pub(crate) node_imds: NodeImds,
    pub(crate) entra: EntraTokens,
}

#[async_trait]
impl TokenIssuer for DecidedSource {
    async fn token(&self, request: TokenRequest<'_>) -> Result<IssuedToken, TokenError> {
        match request.principal {
            None => self.node_imds.token(request).await,
            Some(principal) => self.entra.token(&request, principal).await,
        }
    }
}
