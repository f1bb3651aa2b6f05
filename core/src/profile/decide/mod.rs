//! What to do about one profile. The operator and `podid plan` call the same two functions in the same
//! order:
//!
//! 1. [`precheck`], before anything is read: is it suspended or malformed, can its class be used, is it
//!    within the limits;
//! 2. [`next_action`], with what was read (or is assumed): refuse, only report, or carry out a plan.

use serde::Serialize;

use crate::class::{Class, FixedBy, OperatorEnvironment, Usability, Violation};
use crate::condition::ReconcileOutcome;
use crate::profile::admit::admit;
use crate::profile::desired::Desired;
use crate::profile::observed::{Observed, ProfileRecord};
use crate::profile::plan::{Plan, PlanRefusal, plan};
use crate::profile::progress::PlanProgress;
use crate::profile::withdrawal::Withdrawal;
use crate::profile::{Drift, Interval, Profile};

/// Reason of the conditions of a profile that exceeds its class.
pub const NOT_ALLOWED_BY_CLASS: &str = "NotAllowedByClass";

/// What a profile is checked against before anything is read.
#[derive(Clone, Copy, Debug)]
pub struct PrecheckInput<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The class that it names, if there is one.
    pub class: Option<&'a Class>,
    /// Whether Azure has confirmed that class.
    pub usability: &'a Usability,
    /// The operator.
    pub operator: &'a OperatorEnvironment,
    /// Whether `Ready` is of the current generation of the profile.
    pub is_reported: bool,
    /// What podid has made or found for the profile.
    pub record: &'a ProfileRecord,
}

/// The result of the checks before anything is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Precheck {
    /// Its author has suspended it.
    Suspended,
    /// A field of it is invalid, whatever its class allows.
    InvalidSpec(Violation),
    /// The class that it names does not exist.
    ClassMissing {
        /// Name of the class.
        class: String,
    },
    /// Its class is malformed, or is for another operator.
    ClassInvalid {
        /// Name of the class.
        class: String,
        /// What is wrong with it; never empty.
        violations: Vec<Violation>,
        /// What the class does not allow beside that.
        not_allowed: Vec<Violation>,
    },
    /// Its class cannot be used, according to Azure.
    ClassUnusable {
        /// Name of the class.
        class: String,
        /// What is wrong, and the remedy.
        why: String,
    },
    /// Its class is still being compared with Azure, and `Ready` is not of the current generation.
    ClassUnknown {
        /// Name of the class.
        class: String,
    },
    /// Its class is still being compared with Azure. The status stays: it was true under the earlier class,
    /// and the profile is reconciled again when the comparison ends.
    KeepStatus,
    /// It asks for what its class does not allow; the list is never empty.
    NotAllowed(Vec<Violation>),
    /// The same, and its class takes away what it does not allow of what was made.
    Withdrawn(Box<Withdrawal>),
    /// It is admitted, with this desired state.
    Admitted(Box<Desired>),
}

/// Checks a profile before anything is read.
#[must_use]
pub fn precheck(input: PrecheckInput<'_>) -> Precheck {
    let profile = input.profile;
    // Nobody keeps by a field of the profile what its class takes away.
    if let Some(withdrawal) = withdrawal(&input) {
        return Precheck::Withdrawn(Box::new(withdrawal));
    }
    // This check is the first of the others: while a profile is suspended, no message may ask for another edit.
    if profile.suspend {
        return Precheck::Suspended;
    }
    if let Interval::Invalid(text) = &profile.interval {
        return Precheck::InvalidSpec(invalid_interval(text));
    }
    let Some(class) = input.class else {
        return Precheck::ClassMissing {
            class: profile.class_name.clone(),
        };
    };
    let admitted = admit(profile, class);
    let violations = input.operator.violations(class);
    if !violations.is_empty() {
        return Precheck::ClassInvalid {
            class: class.name.clone(),
            violations,
            not_allowed: admitted.err().unwrap_or_default(),
        };
    }
    // Only after that the limits: a refusal by a class that Azure has not confirmed might be wrong.
    if let Some(waiting) = wait_for(class, input.usability, input.is_reported) {
        return waiting;
    }
    match admitted {
        Ok(desired) => Precheck::Admitted(Box::new(desired)),
        Err(violations) => Precheck::NotAllowed(violations),
    }
}

/// What the class takes away of the profile; nothing before Azure has confirmed it, as a refusal might be wrong.
fn withdrawal(input: &PrecheckInput<'_>) -> Option<Withdrawal> {
    let class = input.class?;
    let is_usable = matches!(input.usability, Usability::Usable | Usability::Assumed);
    if !is_usable || !input.operator.violations(class).is_empty() {
        return None;
    }
    Withdrawal::of(input.profile, class, input.record)
}

fn wait_for(class: &Class, usability: &Usability, is_reported: bool) -> Option<Precheck> {
    let class = class.name.clone();
    match usability {
        Usability::Usable | Usability::Assumed => None,
        Usability::Unusable(why) => Some(Precheck::ClassUnusable {
            class,
            why: why.clone(),
        }),
        Usability::Unknown if is_reported => Some(Precheck::KeepStatus),
        Usability::Unknown => Some(Precheck::ClassUnknown { class }),
    }
}

fn invalid_interval(text: &str) -> Violation {
    Violation {
        field: "spec.interval".to_owned(),
        value: text.to_owned(),
        why: "is not a duration; write for example 10m".to_owned(),
        fixed_by: FixedBy::Author,
    }
}

impl Precheck {
    /// The outcome of a reconciliation that ends with this check; `None` where work follows (also that of taking
    /// something away), or where the status is kept or written by other rules.
    #[must_use]
    pub fn outcome(&self) -> Option<ReconcileOutcome> {
        Some(match self {
            Self::Suspended | Self::KeepStatus | Self::Admitted(_) | Self::Withdrawn(_) => {
                return None;
            }
            Self::InvalidSpec(violation) => ReconcileOutcome::Stalled {
                reason: "InvalidSpec".to_owned(),
                message: violation.to_string(),
            },
            Self::ClassMissing { class } => ReconcileOutcome::Waiting {
                message: format!(
                    "PodIdentityClass {class} does not exist; create it, or correct spec.className"
                ),
            },
            Self::ClassInvalid {
                class, violations, ..
            } => cannot_be_used(class, &first(violations)),
            Self::ClassUnusable { class, why } => cannot_be_used(class, why),
            Self::ClassUnknown { class } => ReconcileOutcome::Progressing {
                message: format!(
                    "PodIdentityClass {class} is being compared with Azure; the profile waits for that"
                ),
            },
            Self::NotAllowed(violations) => ReconcileOutcome::Stalled {
                reason: NOT_ALLOWED_BY_CLASS.to_owned(),
                message: join(violations),
            },
        })
    }
}

fn cannot_be_used(class: &str, why: &str) -> ReconcileOutcome {
    let message = format!("PodIdentityClass {class} cannot be used: {why}");
    ReconcileOutcome::Waiting { message }
}

/// The first violation. The status of the class names all of them; a profile only needs to lead there.
fn first(violations: &[Violation]) -> String {
    let first = violations.first();
    first.map(ToString::to_string).unwrap_or_default()
}

fn join(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    texts.join(" | ")
}

/// What to do about an admitted profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum NextAction {
    /// Nothing, for these reasons, which need a person; the list is never empty.
    Refuse(Vec<PlanRefusal>),
    /// Report the plan, which is never empty, and do none of it (`drift: Observe`).
    Report(Plan),
    /// Carry out the plan, which may be empty.
    Apply(Plan),
}

/// Decides what to do about an admitted profile.
#[must_use]
pub fn next_action(desired: &Desired, observed: &Observed) -> NextAction {
    match plan(desired, observed) {
        Err(refusals) => NextAction::Refuse(refusals),
        Ok(plan) if desired.drift == Drift::Observe && !plan.is_empty() => NextAction::Report(plan),
        Ok(plan) => NextAction::Apply(plan),
    }
}

/// The record of a profile that is as it should be; `None` where anything is to be done or reported.
#[must_use]
pub fn record_if_unchanged(desired: &Desired, observed: &Observed) -> Option<ProfileRecord> {
    let NextAction::Apply(plan) = next_action(desired, observed) else {
        return None;
    };
    let progress = PlanProgress::begin(&plan, observed);
    plan.is_empty()
        .then(|| progress.record(desired, &observed.record, true))
}

#[cfg(test)]
mod tests;
