//! A failed call to Azure: the properties on which decisions depend.

use std::time::Duration;

use serde::Serialize;

use crate::target::TargetErrorClass;

/// Azure's code for a role that cannot be assigned because it is not there.
const NO_SUCH_ROLE: &str = "RoleDefinitionDoesNotExist";
/// Azure's codes for what somebody has decided or let fill up in Azure: an Azure Policy, a lock on the resource or
/// around it, and as many role assignments as a subscription holds. No pause mends them, whatever status they come with.
const PERSONS_MATTER: [&str; 3] = [
    "RequestDisallowedByPolicy",
    "ScopeLocked",
    "RoleAssignmentLimitExceeded",
];
/// Azure's code for a subscription that is gone, or that the caller may not see.
const NO_SUCH_SUBSCRIPTION: &str = "SubscriptionNotFound";
/// Azure's code for a token of another tenant than the subscription's.
const TOKEN_OF_ANOTHER_TENANT: &str = "InvalidAuthenticationTokenTenant";

/// Kinds of failures that lead to different decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CallFailureClass {
    /// Azure does not know yet what was made a moment ago.
    Propagating,
    /// A right is missing, or a policy or a lock forbids the call.
    Forbidden,
    /// What the call names is not there.
    NotFound,
    /// Azure does not accept the operator's token.
    Unauthenticated,
    /// The same call can never succeed.
    Invalid,
    /// It did not leave, so that Azure's request limits are kept. That is no failure: it is made later.
    HeldBack,
    /// No answer, throttling, a conflict: the call may succeed later.
    Transient,
}

impl CallFailureClass {
    /// The class of an error of Azure, as rules about single calls tell errors apart. What was not understood
    /// may pass as well.
    #[must_use]
    pub fn of(class: TargetErrorClass) -> Self {
        match class {
            TargetErrorClass::Propagating => Self::Propagating,
            TargetErrorClass::Forbidden => Self::Forbidden,
            TargetErrorClass::NotFound => Self::NotFound,
            TargetErrorClass::Unauthenticated => Self::Unauthenticated,
            TargetErrorClass::Invalid => Self::Invalid,
            TargetErrorClass::HeldBack => Self::HeldBack,
            TargetErrorClass::Throttled
            | TargetErrorClass::Transient
            | TargetErrorClass::Conflict
            | TargetErrorClass::PreconditionFailed
            | TargetErrorClass::Unexpected => Self::Transient,
        }
    }
}

/// A failed call to Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallFailure {
    /// See [`CallFailureClass`].
    pub class: CallFailureClass,
    /// Azure's error code, as `AuthorizationFailed`; `None` when the answer had none, so that it may
    /// be a proxy's.
    pub code: Option<String>,
    /// The reason where Azure gave no code, or one that Kubernetes does not take as a reason.
    pub fallback_reason: &'static str,
    /// How long Azure asked to wait.
    pub retry_after: Option<Duration>,
}

impl CallFailure {
    /// The reason of conditions and Events: Azure's own code where Kubernetes takes it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match (self.class, self.code.as_deref()) {
            // Azure reports a delayed replication with several codes. One of them reads as if a principal
            // did not exist, which would mislead the reader of the condition.
            (CallFailureClass::Propagating, _) => "Propagating",
            (_, Some(code)) if is_reason(code) => code,
            _ => self.fallback_reason,
        }
    }

    /// Whether the call fails until a person changes the object that it was made for, or what stands against it in
    /// Azure. A right that is missing is no such failure: it is granted while others wait for it, and takes effect
    /// minutes later.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.class == CallFailureClass::Invalid
            || self.has_code(NO_SUCH_ROLE)
            || PERSONS_MATTER.iter().any(|code| self.has_code(code))
    }

    /// Whether Azure will not show the resource however often it is asked. Then it is not known whether the
    /// resource exists.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.class == CallFailureClass::Forbidden || self.has_code(NO_SUCH_SUBSCRIPTION)
    }

    /// Whether Azure itself refused what was asked. A proxy's page, a missing token or no answer is not a
    /// refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.class {
            CallFailureClass::Forbidden | CallFailureClass::Invalid => true,
            CallFailureClass::NotFound => self.code.is_some(),
            CallFailureClass::Unauthenticated => self.has_code(TOKEN_OF_ANOTHER_TENANT),
            CallFailureClass::Propagating
            | CallFailureClass::HeldBack
            | CallFailureClass::Transient => false,
        }
    }

    fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// Whether Kubernetes takes this text as the reason of a condition. Kubernetes allows a little more
/// than this.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: CallFailureClass, code: &str) -> CallFailure {
        CallFailure {
            class,
            code: (!code.is_empty()).then(|| code.to_owned()),
            fallback_reason: "Fallback",
            retry_after: None,
        }
    }

    #[test]
    fn what_waiting_may_end_is_transient_and_all_else_keeps_its_class() {
        use TargetErrorClass::{
            Conflict, Forbidden, Invalid, NotFound, PreconditionFailed, Propagating, Throttled,
            Transient, Unauthenticated, Unexpected,
        };
        let own = [Propagating, Forbidden, NotFound, Unauthenticated, Invalid];
        for class in own {
            let same = format!("{:?}", CallFailureClass::of(class));
            assert_eq!(same, class.as_str());
        }
        let transient = [
            Throttled,
            Transient,
            Conflict,
            PreconditionFailed,
            Unexpected,
        ];
        for class in transient {
            assert_eq!(CallFailureClass::of(class), CallFailureClass::Transient);
        }
    }

    #[test]
    fn only_azures_own_answer_is_a_refusal() {
        use CallFailureClass::{
            Forbidden, Invalid, NotFound, Propagating, Transient, Unauthenticated,
        };
        for (class, code, refusal) in [
            (Forbidden, "AuthorizationFailed", true),
            (Forbidden, "", true),
            (Invalid, "InvalidParameter", true),
            (NotFound, "SubscriptionNotFound", true),
            (NotFound, "", false),
            (Unauthenticated, TOKEN_OF_ANOTHER_TENANT, true),
            (Unauthenticated, "InvalidAuthenticationToken", false),
            (Transient, "TooManyRequests", false),
            (Propagating, "PrincipalNotFound", false),
        ] {
            let failure = failure(class, code);
            assert_eq!(failure.is_refusal(), refusal, "{failure:?}");
        }
    }

    #[test]
    fn a_person_is_needed_for_what_no_pause_mends() {
        use CallFailureClass::{Forbidden, Invalid, NotFound, Transient};
        for (class, code, needed) in [
            (Invalid, "LocationNotAvailable", true),
            (NotFound, NO_SUCH_ROLE, true),
            (NotFound, "ResourceGroupNotFound", false),
            (Forbidden, "AuthorizationFailed", false),
            (Forbidden, "", false),
            (Forbidden, "RequestDisallowedByPolicy", true),
            (Forbidden, "ScopeLocked", true),
            (Invalid, "RoleAssignmentLimitExceeded", true),
            // With a status that Azure does not document for it.
            (Transient, "RoleAssignmentLimitExceeded", true),
            (Transient, "TooManyRequests", false),
            (Transient, "", false),
        ] {
            let failure = failure(class, code);
            assert_eq!(failure.needs_person(), needed, "{failure:?}");
        }
    }

    #[test]
    fn a_resource_is_hidden_by_a_missing_right_or_subscription() {
        use CallFailureClass::{Forbidden, NotFound, Transient};
        assert!(failure(Forbidden, "").is_hidden());
        assert!(failure(NotFound, NO_SUCH_SUBSCRIPTION).is_hidden());
        assert!(!failure(NotFound, "ResourceGroupNotFound").is_hidden());
        assert!(!failure(Transient, "").is_hidden());
    }

    #[test]
    fn a_reason_is_one_that_kubernetes_takes() {
        use CallFailureClass::{Forbidden, Propagating};
        assert_eq!(
            failure(Forbidden, "AuthorizationFailed").reason(),
            "AuthorizationFailed"
        );
        assert_eq!(failure(Forbidden, "not a word").reason(), "Fallback");
        assert_eq!(failure(Forbidden, "").reason(), "Fallback");
        assert_eq!(
            failure(Propagating, "PrincipalNotFound").reason(),
            "Propagating"
        );
        assert!(is_reason(&"a".repeat(128)) && !is_reason(&"a".repeat(129)));
        assert!(!is_reason("") && !is_reason("4xx") && !is_reason("a_b"));
    }
}
