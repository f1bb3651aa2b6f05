//! Why there is no token: one value for the client, the metrics, the audit log and the pod's Events.

use std::time::Duration;

use hyper::StatusCode;
use podid_azure::ImdsError;
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{IDENTITY_NOT_FOUND, TokenRefusal};
use podid_runtime::process;

use super::answer::Failure;

/// When to ask again what could not be answered in time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Denial {
    /// For the client.
    pub(super) failure: Failure,
    /// For the metrics, and the reason of an Event.
    pub(super) word: &'static str,
    /// For the person who reads the audit log.
    pub(super) reason: String,
    /// Whether it is told in an Event on the pod as well: it needs a person, and the operator, which
    /// tells of bindings and assignments, does not know of it.
    pub(super) tell: bool,
}

impl Denial {
    fn new(failure: Failure, word: &'static str, reason: String) -> Self {
        Self {
            failure,
            word,
            reason,
            tell: false,
        }
    }
}

pub(super) fn not_attested() -> Denial {
    Denial::new(
        Failure::retry("The pod is not known on this node yet", RETRY_AFTER).closing(),
        "NotAttested",
        "the caller's interface and address are not those of any pod of this node".to_owned(),
    )
}

/// The caller's link is not the one by which the pod was proved.
pub(super) fn moved_link() -> Denial {
    Denial {
        reason: "the node's end of the caller's link is not what it was when the pod was proved; \
                 somebody has removed or replaced it"
            .to_owned(),
        ..not_attested()
    }
}

pub(super) fn not_assigned(identity: &AzureIdentity) -> Denial {
    let name = identity.full_name();
    Denial::new(
        Failure::retry("The identity is not assigned to this node yet", RETRY_AFTER),
        "NotAssigned",
        format!("AzureIdentity {name} is bound to the pod but not assigned to its node yet"),
    )
}

/// The request has waited as long as it may.
pub(super) fn not_known_yet() -> Denial {
    Denial::new(
        Failure::retry(
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
pub(super) fn identity_of_profile(client_id: &str) -> Denial {
    Denial {
        tell: true,
        ..Denial::new(
            Failure::invalid(IDENTITY_NOT_FOUND),
            "IdentityOfProfile",
            format!(
                "an AzurePodIdentityException gives the pod the node's own identities, and client id \
                 {client_id} is that of a PodIdentityProfile; bind the pod to the profile instead"
            ),
        )
    }
}

/// The assignment is too old for the metadata service to be merely late.
pub(super) fn unknown_to_imds(identity: &AzureIdentity) -> Denial {
    let (name, id) = (identity.full_name(), identity.resource_id.as_str());
    Denial {
        tell: true,
        ..Denial::new(
            Failure::invalid(IDENTITY_NOT_FOUND),
            "UnknownToImds",
            format!(
                "AzureIdentity {name} was assigned to this node, but the node's metadata service does \
                 not know {id}; see whether somebody has deleted the identity in Azure or taken it \
                 off the machine, and whether spec.resourceID is right"
            ),
        )
    }
}

pub(super) fn refused(refusal: &TokenRefusal) -> Denial {
    Denial {
        tell: matches!(
            refusal,
            TokenRefusal::BreaksNetRawRule(_) | TokenRefusal::NoClientId(_)
        ),
        ..Denial::new(
            Failure::invalid(refusal.description()),
            refusal.word(),
            refusal.to_string(),
        )
    }
}

/// What the metadata service says is passed on, so that SDKs retry as they would without podid.
pub(super) fn from_imds(error: ImdsError) -> Denial {
    let reason = process::chain(&error);
    let (failure, word) = match error {
        ImdsError::Refused {
            status,
            error,
            description,
            retry_after,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let error = if error.is_empty() {
                "server_error"
            } else {
                &error
            };
            let failure = Failure {
                retry_after,
                ..Failure::new(status, error, &description)
            };
            (failure, "ImdsRefused")
        }
        ImdsError::Unreachable { .. } | ImdsError::Timeout { .. } => {
            let failure = Failure::retry("The metadata service does not answer", RETRY_AFTER);
            (failure, "ImdsUnreachable")
        }
        _ => {
            let text = "The metadata service gave an answer that is not a token";
            (
                Failure::new(StatusCode::BAD_GATEWAY, "server_error", text),
                "ImdsMalformed",
            )
        }
    };
    Denial::new(failure, word, reason)
}
