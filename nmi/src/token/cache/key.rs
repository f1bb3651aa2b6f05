//! What a kept token is for.

use podid_core::arm::ArmId;
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{Selector, TokenDecision};

use crate::pod_context::PodContext;
use crate::token::TokenRequest;

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct IdentityKey {
    id: ArmId,
    /// In lower case. An identity that is made anew under the same id has another one.
    client_id: String,
}

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) identity: IdentityKey,
    pub(super) resource: String,
}

impl IdentityKey {
    pub(super) fn of(identity: &AzureIdentity) -> Self {
        Self {
            id: identity.resource_id.clone(),
            client_id: identity.client_id.to_ascii_lowercase(),
        }
    }
}

impl TokenKey {
    pub(super) fn of(request: &TokenRequest<'_>) -> Self {
        Self {
            identity: IdentityKey::of(request.identity),
            resource: request.resource.to_owned(),
        }
    }

    /// Whether it is for this identity and resource.
    pub(super) fn is_of(&self, identity: &AzureIdentity, resource: &str) -> bool {
        self.resource == resource
            && self
                .identity
                .client_id
                .eq_ignore_ascii_case(&identity.client_id)
            && self.identity.id == identity.resource_id
    }

    /// The identity of this token, if the pod may have it now.
    pub(super) fn allowed(&self, pod: &PodContext) -> Option<AzureIdentity> {
        let selectors = [
            Selector::ClientId(self.identity.client_id.clone()),
            Selector::ResourceId(self.identity.id.clone()),
        ];
        selectors
            .iter()
            .find_map(|selector| match pod.resolve(selector) {
                TokenDecision::Serve(source) => {
                    let identity = source.identity();
                    self.is_of(identity, &self.resource)
                        .then(|| identity.clone())
                }
                _ => None,
            })
    }
}
