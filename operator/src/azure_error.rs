//! Azure's errors as the plain values that rules in `podid-core` go by.

use podid_azure::{AzureError, ErrorClass};
use podid_core::arm::ArmId;
use podid_core::call_failure::{CallFailure, CallFailureClass};
use podid_core::target::{TargetError, TargetErrorClass};

/// What rules about profiles and classes need of an error.
pub(crate) fn call_failure(error: &AzureError) -> CallFailure {
    CallFailure {
        class: CallFailureClass::of(class_of(error)),
        code: error.code().map(str::to_owned),
        fallback_reason: error.class().as_str(),
        retry_after: error.retry_after(),
    }
}

/// What rules about VMs, scale sets and the lookup of identities need of an error.
pub(crate) fn target_error(error: &AzureError) -> TargetError {
    let named = error.named_identities();
    let named = named.iter().map(|id| ArmId::new(id.to_string()));
    TargetError {
        class: class_of(error),
        refused: matches!(
            error,
            AzureError::Refused { .. } | AzureError::OperationEnded { .. }
        ),
        code: error.code().map(str::to_owned),
        named: named.collect(),
        retry_after: error.retry_after(),
        next_step: error.next_step(),
        message: error.to_string(),
    }
}

fn class_of(error: &AzureError) -> TargetErrorClass {
    match error.class() {
        ErrorClass::Throttled { .. } => TargetErrorClass::Throttled,
        ErrorClass::HeldBack => TargetErrorClass::HeldBack,
        ErrorClass::Transient => TargetErrorClass::Transient,
        ErrorClass::Propagating => TargetErrorClass::Propagating,
        ErrorClass::NotFound => TargetErrorClass::NotFound,
        ErrorClass::Conflict => TargetErrorClass::Conflict,
        ErrorClass::PreconditionFailed => TargetErrorClass::PreconditionFailed,
        ErrorClass::Forbidden => TargetErrorClass::Forbidden,
        ErrorClass::Unauthenticated => TargetErrorClass::Unauthenticated,
        ErrorClass::Invalid => TargetErrorClass::Invalid,
        // The set may grow; what is new was not understood.
        _ => TargetErrorClass::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};
    use podid_core::target::TargetFailure;

    use super::*;

    fn failure_of(error: &AzureError, identity: Option<&ArmId>) -> TargetFailure {
        TargetFailure::of_azure(&target_error(error), identity)
    }

    fn refused(status: u16, code: &str) -> AzureError {
        let reply = Reply::new(status, code, "Azure's own words.");
        AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply)
    }

    /// Fault 39: Azure answers 403 `RequestDisallowedByPolicy` or 409 `ScopeLocked`.
    #[test]
    fn what_waiting_does_not_mend_is_told_from_what_it_does() {
        use podid_core::target::Persistence::{Permanent, Transient, Unconfirmed};
        let table = [
            (403, "LinkedAuthorizationFailed", Permanent),
            (403, "AuthorizationFailed", Permanent),
            (403, "RequestDisallowedByPolicy", Permanent),
            (409, "ScopeLocked", Permanent),
            (400, "FailedIdentityOperation", Unconfirmed),
            (404, "ResourceNotFound", Unconfirmed),
            (404, "SubscriptionNotFound", Unconfirmed),
            (400, "InvalidParameter", Unconfirmed),
            (401, "ExpiredAuthenticationToken", Transient),
            (409, "Conflict", Transient),
            (412, "PreconditionFailed", Transient),
            (429, "TooManyRequests", Transient),
            (500, "InternalServerError", Transient),
            (503, "", Transient),
            (404, "", Transient),
            (403, "", Transient),
        ];
        for (status, code, expected) in table {
            let failure = failure_of(&refused(status, code), None);
            assert_eq!(failure.persistence, expected, "{status} {code}");
            let again = failure.after(2).persistence;
            let believed = if expected == Unconfirmed {
                Permanent
            } else {
                expected
            };
            assert_eq!(again, believed, "{status} {code}");
        }
        let unanswered = AzureError::NoAnswer {
            operation: Operation::PatchComputeIdentity,
            resource: "/x".into(),
            host: "arm".into(),
            source: "connection reset".into(),
        };
        assert_eq!(failure_of(&unanswered, None).persistence, Transient);
    }

    #[test]
    fn a_failure_begins_with_the_identity_and_the_next_step() {
        let error = refused(403, "LinkedAuthorizationFailed");
        let failure = failure_of(&error, Some(&ArmId::new("/id/web")));
        let (step, message) = (error.next_step(), &failure.cause.message);
        assert!(
            message.starts_with(&format!(
                "identity /id/web cannot be put on a VM or scale set: {step}. "
            )),
            "{message}"
        );
        assert!(message.ends_with("Azure's own words."), "{message}");
        let id = crate::target::fake::id("web");
        let reply = Reply::new(
            403,
            "LinkedAuthorizationFailed",
            format!("scope(s) '{id}' or"),
        );
        let error = AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply);
        let message = failure_of(&error, Some(&id)).cause.message;
        let first = message.split(". ").next().unwrap_or_default();
        assert_eq!(first.matches(id.as_str()).count(), 1, "{message}");
    }
}
