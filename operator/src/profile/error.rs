//! Why a reconciliation stopped, with all causes, and the value that rules in `podid-core` go by.

use std::time::Duration;

use kube::runtime::finalizer;
use podid_azure::AzureError;
use podid_core::arm::ArmId;
use podid_core::profile::ConditionType;
use podid_core::profile::failure::{FailureCause, StepFailure};
use podid_core::role::remedy_for_unknown;
use podid_runtime::process::chain;

use crate::azure::advice;
use crate::azure_error::call_failure;

/// Why reading or writing stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ErrorCause {
    #[error(transparent)]
    Azure(#[from] AzureError),
    #[error("podid cannot {what}")]
    ApiServer { what: String, source: kube::Error },
    #[error(
        "{0} is not the resource id of a user-assigned identity; correct spec.identity.resourceId"
    )]
    NotAnIdentity(ArmId),
    #[error(
        "identity {0} was podid's when it was to be deleted and is somebody else's now; it is left alone"
    )]
    NotOwned(ArmId),
    #[error("role {role:?} does not exist at {scope}; {}", remedy_for_unknown(.role))]
    RoleNotFound { role: String, scope: ArmId },
    #[error("identity {id} is still on {targets}, or on its way there or off")]
    StillAssigned { id: ArmId, targets: String },
}

/// Why reading or writing stopped, and the condition that is false because of it.
#[derive(Debug, thiserror::Error)]
#[error("condition {condition} of the profile cannot be made true")]
pub(super) struct StepError {
    condition: ConditionType,
    #[source]
    cause: Box<ErrorCause>,
}

/// Why a reconciliation ended without a result for the status.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    #[error("cannot read or write the profile")]
    Profile(#[source] kube::Error),
    #[error("the deletion is not finished")]
    Unfinished(#[source] StepError),
    #[error("the finalizer cannot be changed")]
    Finalizer(#[source] Box<finalizer::Error<ReconcileError>>),
    #[error("a call to Azure was held back, so that its limits on requests are kept")]
    HeldBack { after: Duration },
}

impl ErrorCause {
    /// Sets the condition that is false because of it.
    pub(super) fn at(self, condition: ConditionType) -> StepError {
        StepError {
            condition,
            cause: Box::new(self),
        }
    }

    /// What failed, on what, what to do, and then why: an Event is cut at its end.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Azure(error) => advice(error),
            _ => chain(self),
        }
    }

    fn decided(&self) -> FailureCause {
        match self {
            Self::Azure(error) => FailureCause::Azure(call_failure(error)),
            Self::ApiServer { .. } => FailureCause::ApiServer,
            Self::NotAnIdentity(_) => FailureCause::NotAnIdentity,
            Self::NotOwned(_) => FailureCause::NotOwned,
            Self::RoleNotFound { .. } => FailureCause::RoleNotFound,
            Self::StillAssigned { .. } => FailureCause::StillAssigned,
        }
    }
}

impl StepError {
    /// The value that rules go by.
    pub(super) fn failure(&self) -> StepFailure {
        StepFailure {
            condition: self.condition,
            cause: self.cause.decided(),
            message: self.cause.message(),
        }
    }
}

impl ReconcileError {
    /// The failed step, if one is the reason.
    pub(super) fn failure(&self) -> Option<StepFailure> {
        match self {
            Self::Unfinished(error) => Some(error.failure()),
            Self::Profile(_) | Self::Finalizer(_) | Self::HeldBack { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};
    use podid_core::condition::ReconcileOutcome;

    use super::*;

    fn refused(status: u16, code: &str) -> StepFailure {
        let reply = Reply::new(status, code, "Azure's own words.");
        let error = AzureError::refused(Operation::PutRoleAssignment, "/subscriptions/s", reply);
        ErrorCause::Azure(error)
            .at(ConditionType::AccessReady)
            .failure()
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
        for (status, code) in [
            (409, "ScopeLocked"),
            (403, "RequestDisallowedByPolicy"),
            (400, "RoleAssignmentLimitExceeded"),
        ] {
            let outcome = refused(status, code).outcome();
            assert!(matches!(outcome, Stalled { .. }), "{outcome:?}");
        }
    }

    #[test]
    fn a_message_begins_with_the_resource_and_the_next_step_and_names_the_cause() {
        let message = refused(403, "AuthorizationFailed").message;
        assert!(
            message.contains("/subscriptions/s") && message.contains("AuthorizationFailed"),
            "{message}"
        );
        assert!(
            message.starts_with(
                "creating a role assignment on /subscriptions/s failed: grant the operator's identity a role"
            ),
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
