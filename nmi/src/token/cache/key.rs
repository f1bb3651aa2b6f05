//! What a kept token is for.

use podid_core::arm::ArmId;
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{Selector, TokenDecision, TokenSource};
use podid_core::service_principal::ChosenPrincipal;

use crate::pod_context::PodContext;
use crate::token::TokenRequest;

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct IdentityKey {
    id: ArmId,
    /// In lower case. An identity that is made anew under the same id has another one.
    client_id: String,
}

/// Which service principal a token is of. Two AzureIdentities never share one: whoever writes the second may not have
/// the password of the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PrincipalKey {
    /// Namespace and name of the AzureIdentity.
    object: (String, String),
    pub(super) chosen: ChosenPrincipal,
}

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) identity: IdentityKey,
    /// `None` for an identity of the node.
    pub(super) principal: Option<PrincipalKey>,
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
            principal: request.principal.map(|chosen| PrincipalKey {
                object: object_of(request.identity),
                chosen: chosen.clone(),
            }),
            resource: request.resource.to_owned(),
        }
    }

    /// Whether it is for what is asked.
    pub(super) fn is_of(&self, request: &TokenRequest<'_>) -> bool {
        self.resource == request.resource
            && self.is_of_identity(request.identity, request.principal)
    }

    fn is_of_identity(
        &self,
        identity: &AzureIdentity,
        principal: Option<&ChosenPrincipal>,
    ) -> bool {
        let same_principal = match (&self.principal, principal) {
            (None, None) => true,
            (Some(key), Some(chosen)) => {
                let (namespace, name) = &key.object;
                key.chosen == *chosen && *namespace == identity.namespace && *name == identity.name
            }
            _ => false,
        };
        same_principal
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
                    let chosen = self.chosen_of(&source);
                    self.is_of_identity(identity, chosen.as_ref())
                        .then(|| identity.clone())
                }
                _ => None,
            })
    }

    /// The principal of a source in this token's tenant.
    fn chosen_of(&self, source: &TokenSource) -> Option<ChosenPrincipal> {
        let tenant = self
            .principal
            .as_ref()
            .map(|key| key.chosen.tenant.as_str());
        match source {
            TokenSource::NodeImds { .. } => None,
            TokenSource::Entra { principal, .. } => principal.choose(tenant),
        }
    }
}

fn object_of(identity: &AzureIdentity) -> (String, String) {
    (identity.namespace.clone(), identity.name.clone())
}
