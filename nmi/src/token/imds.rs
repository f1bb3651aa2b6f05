//! Tokens from the node's own metadata service, for identities that the operator has assigned to the
//! node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use podid_azure::{
    ClientHeaders, ImdsError, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens,
};
use podid_core::binding::AzureIdentity;
use podid_core::resolve::Selector;
use tokio::time::{Instant, timeout_at};

use super::error::{self, TokenError};
use super::imds_lag::ImdsLag;
use super::{TokenIssuer, TokenRequest};

/// How long after an assignment the metadata service may not know the identity. It takes Azure up to
/// a minute to pass it on; this limit is half as much again. It counts from when this daemon first saw the
/// assignment, so that after a restart it is waited for once more, and no longer than this.
pub(crate) const LAG: Duration = Duration::from_secs(90);

/// The node's metadata service.
#[derive(Debug)]
pub(crate) struct NodeImds {
    client: Arc<dyn ImdsTokens>,
    /// Identities that the metadata service does not know yet.
    lag: ImdsLag,
}

impl NodeImds {
    pub(crate) fn new(client: Arc<dyn ImdsTokens>) -> Self {
        Self {
            client,
            lag: ImdsLag::default(),
        }
    }

    /// The token that the service gives when it is asked as the pod has asked, for a pod with an
    /// exception. Whose token that is, the caller has to check.
    pub(crate) async fn pass_through(
        &self,
        selector: &Selector,
        resource: &str,
        headers: &ClientHeaders,
    ) -> Result<ImdsToken, TokenError> {
        let request = ImdsTokenRequest {
            identity: as_asked(selector),
            resource: resource.to_owned(),
            headers: headers.clone(),
        };
        let token = self.client.token(&request).await;
        token.map_err(error::from_imds)
    }

    /// Asks at once, or after those who are waiting for the same identity. An identity that the
    /// service does not know is waited for as long as its assignment is young.
    async fn ask(
        &self,
        request: &TokenRequest<'_>,
        question: &ImdsTokenRequest,
    ) -> Result<Result<ImdsToken, ImdsError>, TokenError> {
        let id = &request.identity.resource_id;
        let waiter = match self.lag.waiters(id) {
            Some(waiter) => waiter,
            None => match self.client.token(question).await {
                Err(error) if error.is_identity_not_found() => self.lag.wait_for(id),
                answered => return Ok(answered),
            },
        };
        let since = request.assigned_since;
        let lag_ends = since.map_or_else(Instant::now, |since| since + LAG);
        let asking = waiter.ask(self.client.as_ref(), question);
        timeout_at(lag_ends.min(request.deadline), asking)
            .await
            .map_err(|_late| match lag_ends <= request.deadline {
                true => error::unknown_to_imds(request.identity),
                false => error::not_known_yet(),
            })
    }
}

#[async_trait]
impl TokenIssuer for NodeImds {
    async fn token(&self, request: TokenRequest<'_>) -> Result<ImdsToken, TokenError> {
        tracing::trace!(pod_uid = request.pod_uid, "asking the metadata service");
        let question = ImdsTokenRequest {
            // The operator assigned the identity by its resource id, and whoever may write an
            // AzureIdentity chooses its client id freely. So only the resource id says which
            // identity is meant.
            identity: ImdsIdentity::ResourceId(request.identity.resource_id.as_str().to_owned()),
            resource: request.resource.to_owned(),
            headers: request.headers.clone(),
        };
        let token = self.ask(&request, &question).await?;
        let token = token.map_err(error::from_imds)?;
        check_client_id(&token, request.identity)?;
        Ok(token)
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

/// Lets a token pass only if it belongs to the client id of the AzureIdentity, by which the pod has
/// asked for it and which the audit log names.
fn check_client_id(token: &ImdsToken, identity: &AzureIdentity) -> Result<(), TokenError> {
    let found = &token.client_id;
    if !found.is_empty() && found.eq_ignore_ascii_case(&identity.client_id) {
        return Ok(());
    }
    Err(error::client_id_mismatch(identity, found))
}

#[cfg(test)]
mod tests {
    use podid_azure::Secret;

    use super::*;
    use crate::testing::azure_identity;

    #[test]
    fn a_wrong_client_id_is_refused_with_what_to_correct() {
        let mut token = ImdsToken {
            access_token: Secret::new("a.b.c"),
            client_id: "client-two".into(),
            expires_in: 100,
            expires_on: 1_000_100,
            ext_expires_in: None,
            not_before: None,
            resource: String::new(),
            token_type: "Bearer".into(),
        };
        let identity = &azure_identity();
        let error = check_client_id(&token, identity).err().unwrap();
        assert_eq!(error.outcome, "ClientIdMismatch");
        for part in ["a/one", "client-one", "client-two", "correct spec.clientID"] {
            assert!(error.reason.contains(part), "{}", error.reason);
        }
        token.client_id = "client-one".into();
        assert!(check_client_id(&token, identity).is_ok());
    }
}
