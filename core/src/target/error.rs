use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::arm::ArmId;

/// Why Azure did not answer a call about a VM or scale set as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetError {
    /// What kind of failure it was.
    pub class: TargetErrorClass,
    /// Whether Azure itself refused what was asked, at once or as the end of a long operation; `false`
    /// when no answer came or the answer was not understood.
    pub refused: bool,
    /// Azure's code; `None` where the answer has none, as that of a proxy.
    pub code: Option<String>,
    /// Identities that Azure's text names.
    pub named: BTreeSet<ArmId>,
    /// How long Azure asked to wait.
    pub retry_after: Option<Duration>,
    /// What a person can do about it.
    pub next_step: String,
    /// What failed, with Azure's own text.
    pub message: String,
}

/// Kinds of failure with different consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TargetErrorClass {
    /// It did not leave, so that Azure's request limits are kept. That is no failure: it is made later.
    HeldBack,
    /// Too many calls.
    Throttled,
    /// Azure fails or is unreachable.
    Transient,
    /// Azure has not replicated something new yet.
    Propagating,
    /// Something that the call names does not exist.
    NotFound,
    /// Somebody else is changing it.
    Conflict,
    /// It changed since it was read (`If-Match`).
    PreconditionFailed,
    /// A right is missing, or a policy or a lock forbids it.
    Forbidden,
    /// Azure does not accept the operator's credential.
    Unauthenticated,
    /// The request cannot succeed as it is.
    Invalid,
    /// The answer was not understood.
    Unexpected,
}

impl TargetErrorClass {
    /// The reason where Azure gave no code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeldBack => "HeldBack",
            Self::Throttled => "Throttled",
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

    /// Whether the same call may succeed later without anybody doing something.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::HeldBack
                | Self::Throttled
                | Self::Transient
                | Self::Propagating
                | Self::Conflict
                | Self::PreconditionFailed
        )
    }
}

impl TargetError {
    /// Azure's code, or the class where Azure gave none.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.code.as_deref().unwrap_or(self.class.as_str())
    }

    /// Whether somebody else changed or is changing the VM or scale set: read it and plan again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        let class = self.class;
        matches!(
            class,
            TargetErrorClass::Conflict | TargetErrorClass::PreconditionFailed
        )
    }

    /// Whether one of the identities named in a change may have made Azure refuse all of it. The VM or
    /// scale set could be read, so what Azure finds wrong lies in what was asked; how it reports this differs
    /// with the cause. Where it reports that the VM or scale set itself may not be changed, no other
    /// selection of identities will succeed.
    #[must_use]
    pub fn may_be_of_one_identity(&self) -> bool {
        use TargetErrorClass::{Forbidden, Invalid, NotFound};
        match self.code.as_deref() {
            _ if !self.refused => false,
            Some("LinkedAuthorizationFailed" | "FailedIdentityOperation" | "InvalidParameter") => {
                true
            }
            Some("AuthorizationFailed" | "ScopeLocked") => false,
            // Azure's own refusals have a code; a proxy's answer is not about identities.
            None => false,
            Some(_) => matches!(self.class, Invalid | NotFound | Forbidden),
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::TargetErrorClass::{
        Conflict, Forbidden, HeldBack, Invalid, NotFound, PreconditionFailed, Propagating,
        Throttled, Transient, Unauthenticated, Unexpected,
    };
    use crate::testing::target_error as error;

    #[test]
    fn a_refusal_is_of_one_identity_unless_azure_refuses_the_target_itself() {
        let table = [
            (Invalid, Some("FailedIdentityOperation"), true),
            (Invalid, Some("BadRequest"), true),
            (Transient, Some("FailedIdentityOperation"), true),
            (Forbidden, Some("LinkedAuthorizationFailed"), true),
            (Forbidden, Some("RequestDisallowedByPolicy"), true),
            (NotFound, Some("ResourceNotFound"), true),
            (Forbidden, Some("AuthorizationFailed"), false),
            (Forbidden, Some("ScopeLocked"), false),
            (NotFound, None, false),
            (Conflict, Some("Conflict"), false),
            (Transient, Some("InternalServerError"), false),
        ];
        for (class, code, expected) in table {
            let mut error = error(class, code);
            assert_eq!(
                error.may_be_of_one_identity(),
                expected,
                "{class:?} {code:?}"
            );
            error.refused = false;
            assert!(!error.may_be_of_one_identity(), "{class:?} {code:?}");
        }
    }

    #[test]
    fn classes_have_words_of_their_own_and_know_what_waiting_helps() {
        let retryable = [
            HeldBack,
            Throttled,
            Transient,
            Propagating,
            Conflict,
            PreconditionFailed,
        ];
        let lasting = [NotFound, Forbidden, Unauthenticated, Invalid, Unexpected];
        assert!(retryable.iter().all(|class| class.is_retryable()));
        assert!(!lasting.iter().any(|class| class.is_retryable()));
        for class in retryable.into_iter().chain(lasting) {
            assert_eq!(class.as_str(), format!("{class:?}"));
            let conflict = matches!(class, Conflict | PreconditionFailed);
            assert_eq!(error(class, None).is_conflict(), conflict);
        }
        assert_eq!(error(Invalid, None).to_string(), "PATCH was refused");
    }
}
