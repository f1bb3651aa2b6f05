//! The conditions and the outcome of a profile after a failed read or write.

use std::time::Duration;

use serde::Serialize;

use super::condition_type::ConditionType;
use crate::call_failure::{CallFailure, CallFailureClass};
use crate::condition::{API_SERVER_REFUSED, ReconcileOutcome};

/// Reason of a condition while an identity is on VMs or scale sets from which it has to go first.
pub const STILL_ASSIGNED: &str = "StillAssigned";

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum FailureCause {
    /// A call to Azure.
    Azure(CallFailure),
    /// A call to the API server.
    ApiServer,
    /// The profile names a resource that is not a user-assigned identity.
    NotAnIdentity,
    /// The identity to delete belongs to somebody else by now.
    NotOwned,
    /// The profile names a role that does not exist.
    RoleNotFound,
    /// A VM or scale set still has the identity to delete.
    StillAssigned,
}

/// A failed read or write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepFailure {
    /// The condition that it makes false.
    pub condition: ConditionType,
    /// See [`FailureCause`].
    pub cause: FailureCause,
    /// A sentence for people: what failed on which object, the next step, then the details. Equal causes
    /// give equal sentences.
    pub message: String,
}

impl StepFailure {
    /// Reason of the condition.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.cause {
            FailureCause::Azure(failure) => failure.reason(),
            FailureCause::ApiServer => API_SERVER_REFUSED,
            FailureCause::NotAnIdentity => "NotAnIdentity",
            FailureCause::NotOwned => "NotOursAnyMore",
            FailureCause::RoleNotFound => "RoleNotFound",
            FailureCause::StillAssigned => STILL_ASSIGNED,
        }
    }

    /// Whether the call did not leave, so that Azure's request limits are kept.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        let FailureCause::Azure(failure) = &self.cause else {
            return false;
        };
        failure.class == CallFailureClass::HeldBack
    }

    /// Whether it is no error, only a delay that ends by itself.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        use CallFailureClass::{HeldBack, Propagating};
        match &self.cause {
            FailureCause::Azure(failure) => matches!(failure.class, HeldBack | Propagating),
            FailureCause::StillAssigned => true,
            FailureCause::ApiServer
            | FailureCause::NotAnIdentity
            | FailureCause::NotOwned
            | FailureCause::RoleNotFound => false,
        }
    }

    /// The outcome of a reconciliation that ends with it.
    #[must_use]
    pub fn outcome(&self) -> ReconcileOutcome {
        let message = self.message.clone();
        if self.is_wait() {
            return ReconcileOutcome::Progressing { message };
        }
        let needs_person = match &self.cause {
            FailureCause::Azure(failure) => failure.needs_person(),
            FailureCause::NotAnIdentity | FailureCause::RoleNotFound => true,
            FailureCause::ApiServer | FailureCause::NotOwned | FailureCause::StillAssigned => false,
        };
        match needs_person {
            true => ReconcileOutcome::Stalled {
                reason: self.reason().to_owned(),
                message,
            },
            false => ReconcileOutcome::Retrying { message },
        }
    }

    /// The outcome of a deletion that ends with it. A deletion never stalls: the author can no longer edit
    /// the profile, so it is tried until everything is deleted.
    #[must_use]
    pub fn deletion_outcome(&self) -> ReconcileOutcome {
        let message = format!("the profile is being deleted: {}", self.message);
        match self.is_wait() {
            true => ReconcileOutcome::Progressing { message },
            false => ReconcileOutcome::Retrying { message },
        }
    }

    /// How long Azure asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            FailureCause::Azure(failure) => failure.retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(class: CallFailureClass, code: &str) -> StepFailure {
        failure(FailureCause::Azure(CallFailure {
            class,
            code: Some(code.to_owned()),
            fallback_reason: "Fallback",
            retry_after: Some(Duration::from_secs(7)),
        }))
    }

    fn failure(cause: FailureCause) -> StepFailure {
        StepFailure {
            condition: ConditionType::AccessReady,
            cause,
            message: "it failed: do this".into(),
        }
    }

    fn table() -> Vec<(StepFailure, &'static str, &'static str)> {
        use CallFailureClass::{Forbidden, HeldBack, Invalid, NotFound, Propagating, Transient};
        vec![
            (
                azure(Forbidden, "AuthorizationFailed"),
                "Retrying",
                "AuthorizationFailed",
            ),
            (azure(Forbidden, "ScopeLocked"), "Stalled", "ScopeLocked"),
            (
                azure(Forbidden, "RequestDisallowedByPolicy"),
                "Stalled",
                "RequestDisallowedByPolicy",
            ),
            (
                azure(Invalid, "RoleAssignmentLimitExceeded"),
                "Stalled",
                "RoleAssignmentLimitExceeded",
            ),
            (azure(Transient, "no word"), "Retrying", "Fallback"),
            (azure(HeldBack, "no word"), "Progressing", "Fallback"),
            (
                azure(Propagating, "PrincipalNotFound"),
                "Progressing",
                "Propagating",
            ),
            (
                azure(NotFound, "RoleDefinitionDoesNotExist"),
                "Stalled",
                "RoleDefinitionDoesNotExist",
            ),
            (
                azure(Invalid, "LocationNotAvailable"),
                "Stalled",
                "LocationNotAvailable",
            ),
            (
                failure(FailureCause::ApiServer),
                "Retrying",
                "ApiServerRefused",
            ),
            (
                failure(FailureCause::NotAnIdentity),
                "Stalled",
                "NotAnIdentity",
            ),
            (
                failure(FailureCause::NotOwned),
                "Retrying",
                "NotOursAnyMore",
            ),
            (
                failure(FailureCause::RoleNotFound),
                "Stalled",
                "RoleNotFound",
            ),
            (
                failure(FailureCause::StillAssigned),
                "Progressing",
                "StillAssigned",
            ),
        ]
    }

    #[test]
    fn a_failure_stalls_only_when_a_person_must_act() {
        for (failure, outcome, reason) in table() {
            let said = format!("{:?}", failure.outcome());
            assert!(said.starts_with(outcome), "{failure:?}: {said}");
            assert!(said.contains(&failure.message), "{said}");
            assert_eq!(failure.reason(), reason);
        }
    }

    #[test]
    fn a_deletion_never_stalls() {
        for (failure, outcome, _) in table() {
            let message = "the profile is being deleted: it failed: do this".to_owned();
            let expected = match outcome {
                "Progressing" => ReconcileOutcome::Progressing { message },
                _ => ReconcileOutcome::Retrying { message },
            };
            assert_eq!(failure.deletion_outcome(), expected, "{failure:?}");
        }
    }

    #[test]
    fn only_azure_asks_to_wait() {
        let wait = azure(CallFailureClass::Transient, "").retry_after();
        assert_eq!(wait, Some(Duration::from_secs(7)));
        assert_eq!(failure(FailureCause::ApiServer).retry_after(), None);
    }
}
