//! What to do about one profile. The operator and `podid plan` call the same two functions in the same
//! order:
//!
//! 1. [`precheck`], before anything is read: suspended, malformed, its class, its limits;
//! 2. [`next_action`], with what was read (or is assumed): refused, only reported, or a plan.

use serde::Serialize;

use crate::class::{Class, FixedBy, OperatorEnvironment, Usability, Violation};
use crate::condition::ReconcileOutcome;
use crate::profile::admit::admit;
use crate::profile::desired::Desired;
use crate::profile::observed::Observed;
use crate::profile::plan::{Plan, PlanRefusal, plan};
use crate::profile::{Drift, Interval, Profile};

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
    /// Whether `Ready` speaks of the profile as it is written now.
    pub is_reported: bool,
}

/// What can be said of a profile before anything is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Precheck {
    /// Its author has suspended it.
    Suspended,
    /// A field of it cannot be right, whatever its class says.
    InvalidSpec(Violation),
    /// There is no class of the name that it gives.
    ClassMissing {
        /// That name.
        class: String,
    },
    /// Its class is malformed, or is none for this operator.
    ClassInvalid {
        /// Name of the class.
        class: String,
        /// What is wrong with it; never empty.
        violations: Vec<Violation>,
        /// What the class, as it is written, does not allow beside that.
        not_allowed: Vec<Violation>,
    },
    /// Azure says that its class cannot be used.
    ClassUnusable {
        /// Name of the class.
        class: String,
        /// What is wrong, and the remedy.
        why: String,
    },
    /// Its class is still being compared with Azure, and the status says nothing of the profile yet.
    ClassUnknown {
        /// Name of the class.
        class: String,
    },
    /// Its class is still being compared with Azure. The status stays as it is: it was true under the
    /// class as it was before, and the class controller calls again.
    KeepStatus,
    /// It asks for what its class does not allow; never empty.
    NotAllowed(Vec<Violation>),
    /// This is to be made.
    Admitted(Box<Desired>),
}

/// Says what can be said of a profile before anything is read.
#[must_use]
pub fn precheck(input: PrecheckInput<'_>) -> Precheck {
    let profile = input.profile;
    // First of all: while a profile is suspended nothing may be said that asks for another edit.
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
    // A refusal by limits that Azure has not confirmed would have to be taken back.
    if let Some(waiting) = wait_for(class, input.usability, input.is_reported) {
        return waiting;
    }
    match admitted {
        Ok(desired) => Precheck::Admitted(Box::new(desired)),
        Err(violations) => Precheck::NotAllowed(violations),
    }
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
        mend: FixedBy::Author,
    }
}

impl Precheck {
    /// How a reconciliation comes out that ends here; `None` where there is work, or a status to keep.
    #[must_use]
    pub fn outcome(&self) -> Option<ReconcileOutcome> {
        Some(match self {
            Self::Suspended | Self::KeepStatus | Self::Admitted(_) => return None,
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
                message: format!("waiting until PodIdentityClass {class} is compared with Azure"),
            },
            Self::NotAllowed(violations) => ReconcileOutcome::Stalled {
                reason: "NotAllowedByClass".to_owned(),
                message: join(violations),
            },
        })
    }
}

fn cannot_be_used(class: &str, why: &str) -> ReconcileOutcome {
    let message = format!("PodIdentityClass {class} cannot be used: {why}");
    ReconcileOutcome::Waiting { message }
}

/// The class's own status names all of them; its profiles need one to know where to look.
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
    /// Nothing: podid will not decide these by itself; never empty.
    Refuse(Vec<PlanRefusal>),
    /// Report the plan, which is never empty, and do none of it: the author wants to decide.
    Report(Plan),
    /// Do the plan; nothing when it is empty.
    Apply(Plan),
}

/// Says what to do about an admitted profile, given what was read.
#[must_use]
pub fn next_action(desired: &Desired, observed: &Observed) -> NextAction {
    match plan(desired, observed) {
        Err(refusals) => NextAction::Refuse(refusals),
        Ok(plan) if desired.drift == Drift::Observe && !plan.is_empty() => NextAction::Report(plan),
        Ok(plan) => NextAction::Apply(plan),
    }
}

#[cfg(test)]
mod tests;
