//! Tokens of the node's own identities, for pods with an AzurePodIdentityException.

use podid_azure::{ImdsIdentity, ImdsTokenRequest};
use podid_core::resolve::{Selector, may_pass_through};

use super::error::{self, TokenError};
use super::imds_limiter::PermitOwner;
use super::issued::IssuedToken;
use super::shared_imds::SharedImds;
use crate::pod_context::PodContext;
use crate::server::ValidRequest;

/// Asks the node's metadata service as the pod has asked.
#[derive(Debug)]
pub(crate) struct NodeIdentityTokens {
    imds: SharedImds,
}

impl NodeIdentityTokens {
    pub(crate) fn new(imds: SharedImds) -> Self {
        Self { imds }
    }

    /// The token that a process of the node would get.
    ///
    /// # Errors
    /// [`TokenError`], with the answer for the pod. A token of an identity that is on the node for a profile
    /// is an error.
    pub(crate) async fn token(
        &self,
        pod: &PodContext,
        request: &ValidRequest,
    ) -> Result<IssuedToken, TokenError> {
        let question = ImdsTokenRequest {
            identity: as_asked(&request.selector),
            resource: request.resource.clone(),
            headers: request.headers.clone(),
            bypass_cache: request.bypass_cache,
        };
        let owner = PermitOwner::Pod(pod.caller.pod.uid.clone());
        let token = self.imds.token_unshared(owner, &question).await;
        let token = token.map_err(error::from_imds)?;
        // Checked on the answer, because a request may name no identity at all.
        let client_id = &token.client_id;
        match may_pass_through(client_id, pod.of_profiles.contains(client_id)) {
            true => Ok(IssuedToken::fresh(token)),
            false => Err(error::identity_of_profile(&client_id.to_ascii_lowercase())),
        }
    }
}

fn as_asked(selector: &Selector) -> ImdsIdentity {
    match selector {
        Selector::Only => ImdsIdentity::Unnamed,
        Selector::ClientId(id) => ImdsIdentity::ClientId(id.clone()),
        Selector::ObjectId(id) => ImdsIdentity::ObjectId(id.clone()),
        Selector::ResourceId(id) => ImdsIdentity::ResourceId(id.as_str().to_owned()),
    }
}
