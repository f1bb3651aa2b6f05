//! Why an identity is not on a VM or scale set: what to do about it, and whether waiting helps.

use serde::Serialize;

use super::error::{TargetError, TargetErrorClass};
use super::id::Target;
use crate::arm::ArmId;
use crate::assigned_identity::AssignmentFailure;

/// Number of equal refusals in a row after which an unconfirmed one counts as permanent.
const REFUSALS_UNTIL_PERMANENT: u32 = 2;

/// Why an identity is not on a VM or scale set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetFailure {
    /// Reason, and message with the next step first.
    pub cause: AssignmentFailure,
    /// Whether waiting helps.
    pub persistence: Persistence,
}

/// Whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Persistence {
    /// It does: Azure throttles, fails or is unreachable, or the operator has no valid credential.
    Transient,
    /// It may: Azure may report something new as missing until it is replicated.
    Unconfirmed,
    /// It does not: a person must act.
    Permanent,
}

impl TargetFailure {
    /// The same failure after this number of attempts in a row.
    #[must_use]
    pub fn after(self, attempts: u32) -> Self {
        let is_permanent =
            self.persistence == Persistence::Unconfirmed && attempts >= REFUSALS_UNTIL_PERMANENT;
        let persistence = if is_permanent {
            Persistence::Permanent
        } else {
            self.persistence
        };
        Self {
            persistence,
            ..self
        }
    }

    /// The failure for the pods' AzureAssignedIdentities, if waiting does not help; `None` if it may.
    #[must_use]
    pub fn permanent(&self) -> Option<&AssignmentFailure> {
        (self.persistence == Persistence::Permanent).then_some(&self.cause)
    }

    /// The failure for an error of Azure: for this identity, or (`None`) for all of the VM or scale set. The
    /// identity is named in full once: in the beginning, or in the step.
    #[must_use]
    pub fn of_azure(error: &TargetError, identity: Option<&ArmId>) -> Self {
        let step = &error.next_step;
        let is_named = |id: &&ArmId| step.to_ascii_lowercase().contains(&id.folded());
        let subject = match identity {
            Some(id) if is_named(&id) => format!("identity {}", id.name()),
            Some(id) => format!("identity {id}"),
            None => "the pods' identities".to_owned(),
        };
        Self {
            cause: AssignmentFailure {
                reason: error.reason().to_owned(),
                message: format!("{subject} cannot be put on a VM or scale set: {step}. {error}"),
            },
            persistence: persistence_of(error),
        }
    }

    /// The record could not be written, so Azure was not asked for anything.
    pub(super) fn record_not_written(error: &str) -> Self {
        Self {
            cause: AssignmentFailure {
                reason: "RecordNotWritten".to_owned(),
                message: format!(
                    "the assignment record cannot be written; see that the operator may write ConfigMaps: \
                     {error}"
                ),
            },
            persistence: Persistence::Transient,
        }
    }

    /// A node names a VM or scale set that Azure does not have.
    pub(super) fn target_not_found(target: &Target) -> Self {
        Self {
            cause: AssignmentFailure {
                reason: "TargetNotFound".to_owned(),
                message: format!(
                    "a node names {target}, which Azure does not have; correct the node's \
                     spec.providerID, or remove the node"
                ),
            },
            persistence: Persistence::Permanent,
        }
    }

    /// The identity was put on again, and the VM or scale set still shows another client id.
    pub(super) fn old_client_id(identity: &ArmId, expected: &str, shown: &str) -> Self {
        Self {
            cause: AssignmentFailure {
                reason: "OldClientId".to_owned(),
                message: format!(
                    "identity {identity} has client id {shown} on the VM or scale set, also after it was \
                     put on again, and {expected} in the AzureIdentity; correct spec.clientID of the \
                     AzureIdentity (that of a profile: request the profile's reconciliation)"
                ),
            },
            // Azure may only be slow to show the new one.
            persistence: Persistence::Unconfirmed,
        }
    }
}

fn persistence_of(error: &TargetError) -> Persistence {
    match error.class {
        // Probably a proxy's answer: Azure's own refusals have a code.
        _ if error.code.is_none() => Persistence::Transient,
        TargetErrorClass::Forbidden => Persistence::Permanent,
        TargetErrorClass::NotFound | TargetErrorClass::Invalid => Persistence::Unconfirmed,
        // The operator's own credential, or a disturbance of Azure: the identity is not the cause.
        _ => Persistence::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{id, target_error};

    #[test]
    fn waiting_helps_unless_azure_itself_refuses() {
        use TargetErrorClass::{Forbidden, Invalid, NotFound, Throttled, Unauthenticated};
        for (class, code, persistence) in [
            (
                Forbidden,
                Some("AuthorizationFailed"),
                Persistence::Permanent,
            ),
            (NotFound, Some("ResourceNotFound"), Persistence::Unconfirmed),
            (Invalid, Some("InvalidParameter"), Persistence::Unconfirmed),
            (Throttled, Some("TooManyRequests"), Persistence::Transient),
            (
                Unauthenticated,
                Some("ExpiredToken"),
                Persistence::Transient,
            ),
            (Forbidden, None, Persistence::Transient),
            (NotFound, None, Persistence::Transient),
        ] {
            let failure = TargetFailure::of_azure(&target_error(class, code), None);
            assert_eq!(failure.persistence, persistence, "{class:?} {code:?}");
        }
    }

    #[test]
    fn a_message_names_the_identity_in_full_once() {
        let web = id("web");
        let message = |next_step: String, identity| {
            let error = TargetError {
                next_step,
                ..target_error(TargetErrorClass::Forbidden, None)
            };
            TargetFailure::of_azure(&error, identity).cause.message
        };
        let said = |subject: &str, step: &str| {
            format!("{subject} cannot be put on a VM or scale set: {step}. PATCH was refused")
        };
        let step = "grant the right";
        assert_eq!(
            message(step.to_owned(), Some(&web)),
            said(&format!("identity {web}"), step)
        );
        assert_eq!(
            message(step.to_owned(), None),
            said("the pods' identities", step)
        );
        let naming = format!("grant it on {}", web.as_str().to_uppercase());
        assert_eq!(
            message(naming.clone(), Some(&web)),
            said("identity web", &naming)
        );
    }
}
