//! When Azure is asked about a class, and whether profiles may use the class meanwhile.

use std::time::Duration;

use serde::Serialize;

use super::azure::Before;
use super::operator::OperatorEnvironment;
use super::spec::Class;
use crate::arm_budget::CallPriority;
use crate::condition::{Condition, ConditionStatus, ReconcileOutcome};

/// Whether profiles may use a class as it is written now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Usability {
    /// Azure has confirmed it.
    Usable,
    /// Something is wrong with it: what, and the remedy.
    Unusable(String),
    /// It is still being compared with Azure.
    Unknown,
    /// Not looked up, and assumed to be usable: `podid plan` reads the class from a file.
    Assumed,
}

impl Usability {
    /// Reads it from the class's `Ready`, which must be of the current generation. The status is the only
    /// record of it, so that every replica reads the same.
    #[must_use]
    pub fn of<T>(ready: Option<&Condition<T>>) -> Self {
        match ready.map(|ready| (ready.status, &ready.message)) {
            Some((ConditionStatus::True, _)) => Self::Usable,
            Some((ConditionStatus::False, message)) => Self::Unusable(message.clone()),
            Some((ConditionStatus::Unknown, _)) | None => Self::Unknown,
        }
    }

    /// What was known before the class is compared with Azure.
    #[must_use]
    pub fn before(&self) -> Before {
        match self {
            Self::Unknown => Before::Nothing,
            Self::Usable | Self::Unusable(_) | Self::Assumed => Before::Known,
        }
    }

    /// Whether somebody waits for a comparison of a class that is known to be so: profiles do for one that is not known
    /// yet, and a person who asked for it. After a restart, what every class says already keeps no profile waiting.
    #[must_use]
    pub fn comparison_priority(&self, is_requested: bool) -> CallPriority {
        match (self.before(), is_requested) {
            (Before::Known, false) => CallPriority::Background,
            (Before::Nothing, _) | (_, true) => CallPriority::Awaited,
        }
    }
}

/// What to do about a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ClassAction {
    /// Report this, and wait for an edit: Azure is not asked about a malformed class.
    Say(ReconcileOutcome),
    /// Azure was asked not long ago; ask again after this time.
    Rest(Duration),
    /// Ask Azure.
    Ask {
        /// What to report before that, if `Ready` is not of the current generation.
        announce: Option<ReconcileOutcome>,
    },
}

/// What to do about a class. `is_reported` tells whether `Ready` is of the current generation, `rest` how
/// long the same class need not be compared again.
#[must_use]
pub fn class_action(
    class: &Class,
    operator: &OperatorEnvironment,
    is_reported: bool,
    rest: Option<Duration>,
) -> ClassAction {
    let violations = operator.violations(class);
    if !violations.is_empty() {
        let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        return ClassAction::Say(ReconcileOutcome::Stalled {
            reason: "InvalidSpec".to_owned(),
            message: texts.join(" | "),
        });
    }
    match (is_reported, rest) {
        (true, Some(rest)) => ClassAction::Rest(rest),
        (true, None) => ClassAction::Ask { announce: None },
        // Even if an equal class was compared before: the status must cover this generation.
        (false, _) => ClassAction::Ask {
            announce: Some(ReconcileOutcome::Progressing {
                message: "podid is asking Azure whether the class is right".to_owned(),
            }),
        },
    }
}

/// Whether Azure said enough about a class that it need not be asked before the interval is over.
/// `outcome` is the result of [`class_outcome`](super::azure::class_outcome).
#[must_use]
pub fn rests_for_interval(outcome: Option<&ReconcileOutcome>) -> bool {
    matches!(
        outcome,
        Some(ReconcileOutcome::Ready { .. } | ReconcileOutcome::Stalled { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::admit::tests::class;

    const MINUTE: Duration = Duration::from_secs(60);

    fn action(is_reported: bool, rest: Option<Duration>) -> ClassAction {
        class_action(&class(), &OperatorEnvironment::default(), is_reported, rest)
    }

    #[test]
    fn azure_is_asked_when_it_is_due_or_nothing_is_said_yet() {
        assert_eq!(action(true, Some(MINUTE)), ClassAction::Rest(MINUTE));
        assert_eq!(action(true, None), ClassAction::Ask { announce: None });
        for rest in [None, Some(MINUTE)] {
            assert!(
                matches!(action(false, rest), ClassAction::Ask { announce: Some(_) }),
                "{rest:?}"
            );
        }
    }

    #[test]
    fn nobody_waits_for_what_is_known_and_was_not_asked_for() {
        let unusable = Usability::Unusable(String::new());
        for known in [Usability::Usable, unusable] {
            assert_eq!(known.comparison_priority(false), CallPriority::Background);
            assert_eq!(known.comparison_priority(true), CallPriority::Awaited);
        }
        let unknown = Usability::Unknown;
        assert_eq!(unknown.comparison_priority(false), CallPriority::Awaited);
    }

    #[test]
    fn azure_is_never_asked_about_a_malformed_class() {
        let operator = OperatorEnvironment {
            tenant_id: Some("other".into()),
            ..OperatorEnvironment::default()
        };
        for is_reported in [true, false] {
            let action = class_action(&class(), &operator, is_reported, None);
            assert!(
                matches!(&action, ClassAction::Say(ReconcileOutcome::Stalled { reason, message })
                    if reason == "InvalidSpec" && message.starts_with("spec.tenantId")),
                "{action:?}"
            );
        }
    }

    #[test]
    fn what_may_pass_is_asked_again_before_the_interval() {
        let message = String::new();
        let ready = ReconcileOutcome::Ready {
            message: message.clone(),
        };
        let stalled = ReconcileOutcome::Stalled {
            reason: String::new(),
            message: message.clone(),
        };
        assert!(rests_for_interval(Some(&ready)) && rests_for_interval(Some(&stalled)));
        let retrying = ReconcileOutcome::Retrying { message };
        assert!(!rests_for_interval(Some(&retrying)) && !rests_for_interval(None));
    }

    #[test]
    fn a_class_is_usable_by_its_own_status() {
        let ready = |status| Condition {
            kind: "Ready".into(),
            status,
            reason: "R".into(),
            message: "why".into(),
            observed_generation: Some(1),
            last_transition_time: (),
        };
        let of = |status| Usability::of(Some(&ready(status)));
        assert_eq!(of(ConditionStatus::True), Usability::Usable);
        assert_eq!(
            of(ConditionStatus::False),
            Usability::Unusable("why".into())
        );
        assert_eq!(of(ConditionStatus::Unknown), Usability::Unknown);
        assert_eq!(Usability::of::<()>(None), Usability::Unknown);
        assert_eq!(Usability::Unknown.before(), Before::Nothing);
        assert_eq!(Usability::Usable.before(), Before::Known);
        assert_eq!(Usability::Unusable(String::new()).before(), Before::Known);
    }
}
