//! What a failure means to the profile it hit.

use std::fmt;
use std::time::Duration;

use podid_azure::{AzureError, ErrorClass};
use podid_core::arm::ArmId;
use podid_core::condition::ReconcileOutcome;
use podid_runtime::process::chain;

use crate::azure::advice;

/// A part of the work, with its own condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Identity,
    Access,
    Binding,
}

/// Why observing or applying stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Azure(#[from] AzureError),
    #[error("cannot {what}")]
    Cluster { what: String, source: kube::Error },
    #[error("{0} is not the resource id of a user-assigned identity")]
    NotAnIdentity(ArmId),
    #[error(
        "identity {0} was ours when it was to be deleted and is somebody else's now; it is left alone"
    )]
    NotOursAnyMore(ArmId),
    #[error("there is no role {role:?} at {scope}")]
    NoRole { role: String, scope: ArmId },
    #[error("identity {id} is still on {machines}")]
    StillAssigned { id: ArmId, machines: String },
}

/// A cause, and the part of the work it hit.
#[derive(Debug, thiserror::Error)]
#[error("the profile's {stage} is not as it should be")]
pub(super) struct Failure {
    pub(super) stage: Stage,
    #[source]
    pub(super) cause: Box<Cause>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Access => "access",
            Self::Binding => "binding",
        })
    }
}

impl Stage {
    /// Wraps what went wrong in this part.
    pub(super) fn failed(self, cause: impl Into<Cause>) -> Failure {
        Failure {
            stage: self,
            cause: Box::new(cause.into()),
        }
    }
}

impl Cause {
    /// A word for conditions and Events: Azure's own code where there is one.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Azure(error) => match (error.class(), error.code()) {
                (ErrorClass::Propagating, _) => "Propagating".to_owned(),
                (_, Some(code)) if is_reason(code) => code.to_owned(),
                (class, _) => class.as_str().to_owned(),
            },
            Self::Cluster { .. } => "ApiServerRefused".to_owned(),
            Self::NotAnIdentity(_) => "NotAnIdentity".to_owned(),
            Self::NotOursAnyMore(_) => "NotOursAnyMore".to_owned(),
            Self::NoRole { .. } => "RoleNotFound".to_owned(),
            Self::StillAssigned { .. } => "StillAssigned".to_owned(),
        }
    }

    /// What to do first, and then what failed, on what and why: an Event is cut at its end. The same
    /// cause gives the same sentence again.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Azure(error) => advice(error),
            _ => chain(self),
        }
    }

    /// How the whole reconciliation came out.
    pub(super) fn outcome(&self) -> ReconcileOutcome {
        let message = self.message();
        match self {
            Self::Azure(error) => match error.class() {
                ErrorClass::Propagating => ReconcileOutcome::Progressing { message },
                ErrorClass::Invalid => ReconcileOutcome::Stalled {
                    reason: self.reason(),
                    message,
                },
                _ if error.code() == Some("RoleDefinitionDoesNotExist") => {
                    ReconcileOutcome::Stalled {
                        reason: self.reason(),
                        message,
                    }
                }
                _ => ReconcileOutcome::Retrying { message },
            },
            Self::StillAssigned { .. } => ReconcileOutcome::Progressing { message },
            Self::Cluster { .. } | Self::NotOursAnyMore(_) => {
                ReconcileOutcome::Retrying { message }
            }
            Self::NotAnIdentity(_) | Self::NoRole { .. } => ReconcileOutcome::Stalled {
                reason: self.reason(),
                message,
            },
        }
    }

    /// How long Azure asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Azure(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// Whether Azure's code can be the reason of a condition, which allows less.
fn is_reason(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.len() <= 128
        && code.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};

    use super::*;

    fn refused(status: u16, code: &str) -> Cause {
        let reply = Reply::new(status, code, "Azure's own words.");
        Cause::Azure(AzureError::refused(
            Operation::PutRoleAssignment,
            "/subscriptions/s",
            reply,
        ))
    }

    #[test]
    fn causes_become_what_gitops_tools_act_on() {
        use ReconcileOutcome::{Progressing, Retrying, Stalled};
        assert!(matches!(
            refused(403, "AuthorizationFailed").outcome(),
            Retrying { .. }
        ));
        assert!(matches!(
            refused(404, "ResourceGroupNotFound").outcome(),
            Retrying { .. }
        ));
        assert!(matches!(refused(429, "").outcome(), Retrying { .. }));
        assert!(matches!(
            refused(400, "PrincipalNotFound").outcome(),
            Progressing { .. }
        ));
        assert!(matches!(
            refused(404, "RoleDefinitionDoesNotExist").outcome(),
            Stalled { .. }
        ));
        assert!(matches!(
            refused(400, "LocationNotAvailable").outcome(),
            Stalled { .. }
        ));
    }

    #[test]
    fn a_message_begins_with_the_next_step_and_names_the_cause() {
        let message = refused(403, "AuthorizationFailed").message();
        assert!(
            message.contains("/subscriptions/s") && message.contains("AuthorizationFailed"),
            "{message}"
        );
        assert!(
            message.starts_with("grant the operator's identity a role"),
            "{message}"
        );
    }

    #[test]
    fn a_reason_is_one_kubernetes_takes() {
        assert_eq!(
            refused(403, "AuthorizationFailed").reason(),
            "AuthorizationFailed"
        );
        assert_eq!(refused(503, "not a word").reason(), "Transient");
    }
}
