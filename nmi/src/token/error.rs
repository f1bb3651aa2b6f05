//! Why there is no token, as one value for the client, the metrics, the audit log and the pod's Events.

use std::time::Duration;

use hyper::StatusCode;
use podid_azure::{ImdsError, PrincipalError};
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{IDENTITY_NOT_FOUND, TokenRefusal};
use podid_runtime::process;

use super::secrets::SecretError;
use crate::answer::ErrorAnswer;

/// When to ask again what could not be answered in time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct TokenError {
    /// For the client.
    pub(crate) answer: ErrorAnswer,
    /// One CamelCase word of a closed set: a label of the metrics, and the reason of an Event.
    pub(crate) outcome: &'static str,
    /// For the person who reads the audit log.
    pub(crate) reason: String,
    /// Whether an Event on the pod says it too: a person must act, and the operator, which writes
    /// Events about bindings and assignments, does not know of it.
    pub(crate) event: bool,
}

impl TokenError {
    fn new(answer: ErrorAnswer, outcome: &'static str, reason: String) -> Self {
        Self {
            answer,
            outcome,
            reason,
            event: false,
        }
    }

    /// Whether the same request may succeed later without anybody's doing: those are the answers that SDKs ask
    /// again after.
    pub(crate) fn is_transient(&self) -> bool {
        let status = self.answer.status;
        status.is_server_error() || matches!(status.as_u16(), 404 | 408 | 410 | 429)
    }
}

pub(crate) fn not_attested() -> TokenError {
    TokenError::new(
        ErrorAnswer::retry("The pod is not known on this node yet", RETRY_AFTER).closing(),
        "NotAttested",
        "the caller's interface and address are not those of any pod of this node".to_owned(),
    )
}

/// The caller's link is not the one by which the pod was attested.
pub(crate) fn replaced_link() -> TokenError {
    TokenError {
        reason:
            "the node's end of the caller's link is not what it was when the pod was attested; \
                 somebody has removed or replaced it"
                .to_owned(),
        ..not_attested()
    }
}

pub(crate) fn not_assigned(identity: &AzureIdentity) -> TokenError {
    let name = identity.full_name();
    TokenError::new(
        ErrorAnswer::retry("The identity is not assigned to this node yet", RETRY_AFTER),
        "NotAssigned",
        format!("AzureIdentity {name} is bound to the pod but not assigned to its node yet"),
    )
}

/// The request has waited as long as it may.
pub(crate) fn not_known_yet() -> TokenError {
    TokenError::new(
        ErrorAnswer::retry(
            "The identity is assigned but not yet known to the metadata service",
            RETRY_AFTER,
        ),
        "NotKnownToImds",
        "the metadata service does not know the identity although it is assigned; it takes up to a \
         minute after an assignment"
            .to_owned(),
    )
}

/// An excepted pod named an identity that a profile brought to the node.
pub(crate) fn identity_of_profile(client_id: &str) -> TokenError {
    TokenError {
        event: true,
        ..TokenError::new(
            ErrorAnswer::invalid(IDENTITY_NOT_FOUND),
            "IdentityOfProfile",
            format!(
                "an AzurePodIdentityException gives the pod the node's own identities, and client id \
                 {client_id} is that of a PodIdentityProfile; bind the pod to the profile instead"
            ),
        )
    }
}

/// The assignment is too old for the metadata service to be merely late.
pub(crate) fn unknown_to_imds(identity: &AzureIdentity) -> TokenError {
    let (name, id) = (identity.full_name(), identity.resource_id.as_str());
    TokenError {
        event: true,
        ..TokenError::new(
            ErrorAnswer::invalid(IDENTITY_NOT_FOUND),
            "UnknownToImds",
            format!(
                "AzureIdentity {name} was assigned to this node, but the node's metadata service does \
                 not know {id}; see whether somebody has deleted the identity in Azure or taken it \
                 off the VM or scale set, and whether spec.resourceID is right"
            ),
        )
    }
}

pub(crate) fn refused(refusal: &TokenRefusal) -> TokenError {
    TokenError {
        event: matches!(
            refusal,
            TokenRefusal::BreaksNetRawRule(_)
                | TokenRefusal::OtherServiceAccount(_)
                | TokenRefusal::NoClientId(_)
                | TokenRefusal::ServicePrincipal(..)
                | TokenRefusal::HandWritten(_)
        ),
        ..TokenError::new(
            ErrorAnswer::invalid(refusal.description()),
            refusal.word(),
            refusal.to_string(),
        )
    }
}

/// What a service has said in place of a token.
struct Refusal {
    error: String,
    description: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The same for the pod, in words also where the service, or a proxy before it, has found none.
    fn answer(&self, status: StatusCode, otherwise: &str) -> ErrorAnswer {
        let or = |said: &str, otherwise: &str| match said {
            "" => otherwise.to_owned(),
            said => said.to_owned(),
        };
        let error = or(&self.error, "server_error");
        let description = or(&self.description, otherwise);
        ErrorAnswer {
            retry_after: self.retry_after,
            ..ErrorAnswer::new(status, &error, &description)
        }
    }
}

/// What the metadata service says is passed on, so that SDKs retry as they would without podid.
pub(crate) fn from_imds(error: ImdsError) -> TokenError {
    let reason = process::chain(&error);
    let (answer, outcome) = match error {
        ImdsError::Refused {
            status,
            error,
            description,
            retry_after,
        } => {
            let passed_on = StatusCode::from_u16(status).ok();
            // Nothing but errors: a client would follow a redirect.
            let passed_on = passed_on.filter(|one| one.is_client_error() || one.is_server_error());
            let answered = passed_on.unwrap_or(StatusCode::BAD_GATEWAY);
            let said = Refusal {
                error,
                description,
                retry_after,
            };
            let answer = said.answer(answered, &format!("The metadata service answered {status}"));
            (answer, "ImdsRefused")
        }
        ImdsError::Unreachable { .. } | ImdsError::Timeout { .. } => {
            let answer = ErrorAnswer::retry("The metadata service does not answer", RETRY_AFTER);
            (answer, "ImdsUnreachable")
        }
        ImdsError::NotAsked { .. } => {
            let answer = ErrorAnswer::retry("The metadata service is busy", RETRY_AFTER);
            (answer, "ImdsBusy")
        }
        _ => {
            let text = "The metadata service gave an answer that is not a token";
            (
                ErrorAnswer::new(StatusCode::BAD_GATEWAY, "server_error", text),
                "ImdsMalformed",
            )
        }
    };
    TokenError::new(answer, outcome, reason)
}

/// The token that the metadata service gave is not of the AzureIdentity's client id.
pub(crate) fn client_id_mismatch(identity: &AzureIdentity, found: &str) -> TokenError {
    let (name, client_id) = (identity.full_name(), &identity.client_id);
    let resource_id = identity.resource_id.as_str();
    TokenError {
        event: true,
        ..TokenError::new(
            ErrorAnswer::invalid(IDENTITY_NOT_FOUND),
            "ClientIdMismatch",
            format!(
                "AzureIdentity {name} has clientID {client_id}, but the metadata service says that \
                 {resource_id} has {found:?}; correct spec.clientID or spec.resourceID"
            ),
        )
    }
}

/// The pod asked for a tenant that the service principal does not have.
pub(crate) fn foreign_tenant(identity: &AzureIdentity, asked: &str) -> TokenError {
    let name = identity.full_name();
    TokenError::new(
        ErrorAnswer::invalid("tenant_id is not a tenant of the identity"),
        "ForeignTenant",
        format!(
            "the pod asked for tenant {asked:?}, which is neither tenantID nor among auxiliaryTenantIDs of \
             AzureIdentity {name}"
        ),
    )
}

/// The Secret of a service principal cannot be read. It may come, or the right to it, in a moment: both are objects
/// that somebody applies.
pub(crate) fn secret(
    identity: &str,
    namespace: &str,
    name: &str,
    error: &SecretError,
) -> TokenError {
    let (why, event) = match error {
        SecretError::NotFound => ("there is none; create it", true),
        SecretError::Forbidden => (
            "podid-nmi may not read it; give its service account `get` on this one Secret by a Role",
            true,
        ),
        SecretError::NoAnswer => ("the API server does not answer", false),
    };
    TokenError {
        event,
        ..TokenError::new(
            ErrorAnswer::retry(
                "The credential of the identity cannot be read yet",
                RETRY_AFTER,
            ),
            "SecretNotReadable",
            format!("AzureIdentity {identity} needs Secret {namespace}/{name}: {why}"),
        )
    }
}

/// What is in the Secret is no credential.
pub(crate) fn unusable_secret(
    identity: &str,
    namespace: &str,
    name: &str,
    why: &str,
) -> TokenError {
    TokenError {
        event: true,
        ..TokenError::new(
            ErrorAnswer::invalid("The credential of the identity cannot be used"),
            "SecretNotUsable",
            format!(
                "AzureIdentity {identity} needs Secret {namespace}/{name}, which cannot be used: {why}"
            ),
        )
    }
}

/// Entra's refusals are answered with 400, as the metadata service does with those that reach it.
pub(crate) fn from_entra(identity: &str, error: PrincipalError) -> TokenError {
    let reason = format!("AzureIdentity {identity}: {}", process::chain(&error));
    match error {
        PrincipalError::Refused {
            status,
            error,
            description,
            retry_after,
        } => {
            let passes = matches!(status, 408 | 429 | 500..=599);
            let answered = match passes {
                true => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
                false => StatusCode::BAD_REQUEST,
            };
            let said = Refusal {
                error,
                description,
                retry_after,
            };
            let answer = said.answer(answered, &format!("Entra answered {status}"));
            TokenError {
                event: !passes,
                ..TokenError::new(answer, "EntraRefused", reason)
            }
        }
        PrincipalError::NoAnswer { .. } => TokenError::new(
            ErrorAnswer::retry("Entra does not answer", RETRY_AFTER),
            "EntraUnreachable",
            reason,
        ),
        _ => TokenError::new(
            ErrorAnswer::new(
                StatusCode::BAD_GATEWAY,
                "server_error",
                "Entra gave an answer that is not a token",
            ),
            "EntraMalformed",
            reason,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::azure_identity;

    #[test]
    fn a_wrong_client_id_is_refused_with_what_to_correct() {
        let error = client_id_mismatch(&azure_identity(), "client-two");
        assert_eq!(error.outcome, "ClientIdMismatch");
        for part in ["a/one", "client-one", "client-two", "correct spec.clientID"] {
            assert!(error.reason.contains(part), "{}", error.reason);
        }
    }
}
