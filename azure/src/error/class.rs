use std::time::Duration;

use super::{AzureError, Reply};

/// What kind of failure it was: what a program can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Too many calls. Leave the resource alone for the time given, or back off.
    Throttled {
        /// How long Azure asked to wait.
        retry_after: Option<Duration>,
    },
    /// The gate keeps the call for later: nothing was sent, and nothing failed. Make it again after
    /// [`AzureError::retry_after`].
    HeldBack,
    /// Azure or the connection to it fails for now (5xx, no answer), or the call was not sent. Try again
    /// with back-off.
    Transient,
    /// Something that was just made has not been replicated within Azure yet. It passes within minutes
    /// of the creation; later it is permanent.
    Propagating,
    /// What the call named, or what holds it (group, subscription), is not there.
    NotFound,
    /// Somebody else is changing it, or it exists already. Read, plan again.
    Conflict,
    /// It changed since it was read (`If-Match`). Read, plan again.
    PreconditionFailed,
    /// The caller lacks the right, or a policy or a lock forbids it. A person must act.
    Forbidden,
    /// Azure does not accept the credential. A person must act.
    Unauthenticated,
    /// The request can never work as it is. A person must act.
    Invalid,
    /// Azure answered something that is not accepted here.
    Unexpected,
}

impl ErrorClass {
    /// Whether the same call can succeed later without anybody doing something.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Throttled { .. }
            | Self::HeldBack
            | Self::Transient
            | Self::Propagating
            | Self::Conflict
            | Self::PreconditionFailed => true,
            Self::NotFound
            | Self::Forbidden
            | Self::Unauthenticated
            | Self::Invalid
            | Self::Unexpected => false,
        }
    }

    /// A word for metrics and reasons; the set is closed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled { .. } => "Throttled",
            Self::HeldBack => "HeldBack",
            Self::Transient => "Transient",
            Self::Propagating => "Propagating",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::PreconditionFailed => "PreconditionFailed",
            Self::Forbidden => "Forbidden",
            Self::Unauthenticated => "Unauthenticated",
            Self::Invalid => "Invalid",
            Self::Unexpected => "Unexpected",
        }
    }
}

impl AzureError {
    /// What a program can do about it.
    pub fn class(&self) -> ErrorClass {
        classify(self)
    }
}

fn classify(error: &AzureError) -> ErrorClass {
    match error {
        AzureError::Refused { reply, .. } => classify_arm(reply),
        AzureError::OperationEnded { status, reply, .. } => classify_ended(status, reply),
        AzureError::NotSent {
            retry_after: Some(_),
            ..
        } => ErrorClass::HeldBack,
        // A gate refuses for the moment; it says nothing about the call itself.
        AzureError::OperationUnfinished { .. }
        | AzureError::NoAnswer { .. }
        | AzureError::NotSent { .. } => ErrorClass::Transient,
        AzureError::NoToken { reply, .. } => reply
            .as_deref()
            .map_or(ErrorClass::Transient, classify_entra),
        AzureError::Malformed { .. } | AzureError::ForeignUrl { .. } => ErrorClass::Unexpected,
        AzureError::BadResource { .. } => ErrorClass::Invalid,
        AzureError::Credential { .. } => ErrorClass::Unauthenticated,
    }
}

/// Codes say more than the status where they are known; texts are never looked at, they change.
fn classify_arm(reply: &Reply) -> ErrorClass {
    match (reply.code.as_str(), reply.status) {
        (_, 429) | ("TooManyRequests", _) => ErrorClass::Throttled {
            retry_after: reply.retry_after,
        },
        ("PrincipalNotFound", _) => ErrorClass::Propagating,
        ("RoleAssignmentUpdateNotPermitted" | "OperationPreempted", _) => ErrorClass::Conflict,
        ("ScopeLocked", _) => ErrorClass::Forbidden,
        ("MissingSubscriptionRegistration", _) => ErrorClass::Invalid,
        (_, 401) => ErrorClass::Unauthenticated,
        (_, 403) => ErrorClass::Forbidden,
        (_, 404 | 410) => ErrorClass::NotFound,
        (_, 409) => ErrorClass::Conflict,
        (_, 412) => ErrorClass::PreconditionFailed,
        (_, 408 | 500..=599) => ErrorClass::Transient,
        (_, 400..=499) => ErrorClass::Invalid,
        _ => ErrorClass::Unexpected,
    }
}

/// The status of an operation has no HTTP status of its own: the poll that read it was a 200.
fn classify_ended(status: &str, reply: &Reply) -> ErrorClass {
    match reply.code.as_str() {
        "OperationPreempted" => ErrorClass::Conflict,
        "FailedIdentityOperation" | "InvalidParameter" => ErrorClass::Invalid,
        _ if status.eq_ignore_ascii_case("Canceled") => ErrorClass::Conflict,
        _ => ErrorClass::Transient,
    }
}

/// Entra's status is 400 or 401 for the same cause at different times; its numbers are reliable.
fn classify_entra(reply: &Reply) -> ErrorClass {
    if reply.status == 429 {
        return ErrorClass::Throttled {
            retry_after: reply.retry_after,
        };
    }
    if reply.status >= 500 {
        return ErrorClass::Transient;
    }
    match reply.code.strip_prefix("AADSTS").unwrap_or_default() {
        "70021" | "700211" | "700212" | "700213" | "7002137" | "7002138" => ErrorClass::Propagating,
        "50166" | "501661" | "90061" | "7000272" | "700024" | "50196" | "90055" => {
            ErrorClass::Transient
        }
        "500011" | "70011" | "1002012" | "900023" => ErrorClass::Invalid,
        _ => ErrorClass::Unauthenticated,
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorClass::{
        self, Conflict, Forbidden, Invalid, Propagating, Transient, Unauthenticated,
    };
    use crate::{AzureError, Operation, Reply};

    fn entra(status: u16, code: &str) -> ErrorClass {
        let (operation, resource, scope) = (Operation::GetToken, String::new(), String::new());
        let reply = Some(Box::new(Reply::new(status, code, "")));
        AzureError::NoToken {
            operation,
            resource,
            scope,
            reply,
            source: None,
        }
        .class()
    }

    fn ended(status: &str, code: &str) -> ErrorClass {
        let (operation, resource) = (Operation::PatchComputeIdentity, String::new());
        let reply = Box::new(Reply::new(200, code, ""));
        let status = status.to_owned();
        AzureError::OperationEnded {
            operation,
            resource,
            status,
            reply,
        }
        .class()
    }

    #[test]
    fn entra_is_classified_by_its_numbers() {
        for status in [400, 401] {
            assert_eq!(entra(status, "AADSTS70021"), Propagating);
            assert_eq!(entra(status, "AADSTS700213"), Propagating);
            assert_eq!(entra(status, "AADSTS50166"), Transient);
            assert_eq!(entra(status, "AADSTS7000222"), Unauthenticated);
            assert_eq!(entra(status, "AADSTS500011"), Invalid);
            assert_eq!(entra(status, "invalid_client"), Unauthenticated);
        }
        assert_eq!(entra(503, ""), Transient);
        assert_eq!(
            entra(429, "AADSTS50196"),
            ErrorClass::Throttled { retry_after: None }
        );
    }

    #[test]
    fn an_ended_operation_is_classified_by_its_code() {
        assert_eq!(ended("Failed", "OperationPreempted"), Conflict);
        assert_eq!(ended("Failed", "FailedIdentityOperation"), Invalid);
        assert_eq!(ended("Canceled", ""), Conflict);
        assert_eq!(ended("Failed", "InternalExecutionError"), Transient);
    }

    #[test]
    fn codes_say_more_than_the_status() {
        let arm = |status, code| {
            AzureError::refused(Operation::PutIdentity, "/x", Reply::new(status, code, "")).class()
        };
        assert_eq!(arm(409, "ScopeLocked"), Forbidden);
        assert_eq!(arm(409, "MissingSubscriptionRegistration"), Invalid);
        assert_eq!(arm(409, "Conflict"), Conflict);
        assert_eq!(arm(200, ""), ErrorClass::Unexpected);
        assert!(!Forbidden.is_retryable() && Conflict.is_retryable());
    }
}
