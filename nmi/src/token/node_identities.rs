//! Tokens of the node's own identities, for pods with an AzurePodIdentityException.

use std::sync::Arc;

use podid_azure::{ClientHeaders, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens};
use podid_core::resolve::{Selector, may_pass_through};

use super::error::{self, TokenError};
use crate::pod_context::ProfileClientIds;

/// Asks the node's metadata service as the pod has asked.
#[derive(Debug)]
pub(crate) struct NodeIdentityTokens {
    client: Arc<dyn ImdsTokens>,
}

impl NodeIdentityTokens {
    pub(crate) fn new(client: Arc<dyn ImdsTokens>) -> Self {
        Self { client }
    }

    /// The token that a process of the node would get.
    ///
    /// # Errors
    /// [`TokenError`], with the answer for the pod. A token of an identity that is on the node for a profile
    /// is an error.
    pub(crate) async fn token(
        &self,
        selector: &Selector,
        resource: &str,
        headers: &ClientHeaders,
        of_profiles: &ProfileClientIds,
    ) -> Result<ImdsToken, TokenError> {
        let request = ImdsTokenRequest {
            identity: as_asked(selector),
            resource: resource.to_owned(),
            headers: headers.clone(),
        };
        let token = self.client.token(&request).await;
        let token = token.map_err(error::from_imds)?;
        // Checked on the answer, because a request may name no identity at all.
        let client_id = &token.client_id;
        match may_pass_through(client_id, of_profiles.contains(client_id)) {
            true => Ok(token),
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
