//! The conditions of a profile or class, by the rules of kstatus, which Flux and other GitOps
//! tools read:
//!
//! - `Ready` is always there. `Reconciling` and `Stalled` are there only while true, and never
//!   together, and never while `Ready` is true.
//! - `Ready` repeats reason and message of `Stalled` or `Reconciling`, whichever is there.
//! - Every condition carries the generation that it speaks of: `Ready` that of the object, a part
//!   the one for which it was found out. `Ready` is never true while a part lags behind.
//! - A transition time moves only with a status.

use serde::Serialize;

/// Reason of `Ready` when all is as wanted.
pub const SUCCEEDED: &str = "ReconciliationSucceeded";
/// Reason while work goes on that nothing has disturbed.
pub const PROGRESSING: &str = "Progressing";
/// Reason while work that met a difficulty is tried again.
pub const RETRYING: &str = "ProgressingWithRetry";
/// Reason while something is missing that others must bring.
pub const DEPENDENCY: &str = "DependencyNotReady";
/// Reason of a profile that its author has suspended.
pub const SUSPENDED: &str = "Suspended";
/// Reason of a part that the work has not come to yet.
pub const PENDING: &str = "Pending";

/// Type of the condition that sums up all.
pub const READY: &str = "Ready";
/// Type of the condition that says: work goes on.
pub const RECONCILING: &str = "Reconciling";
/// Type of the condition that says: nothing more will happen until a person acts.
pub const STALLED: &str = "Stalled";

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

impl ConditionStatus {
    /// The word that Kubernetes uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition; `T` is whatever the caller takes for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition<T> {
    /// Its type, as `Ready`.
    pub kind: String,
    /// Its status.
    pub status: ConditionStatus,
    /// A word for programs.
    pub reason: String,
    /// A sentence for people. Equal causes give equal sentences: no times, no counters.
    pub message: String,
    /// Generation it speaks of; `None` for a part that no generation has reached.
    pub observed_generation: Option<i64>,
    /// When its status last changed.
    pub last_transition_time: T,
}

/// How a reconciliation came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ReconcileOutcome {
    /// All is as wanted.
    Ready {
        /// What was achieved.
        message: String,
    },
    /// Work goes on by itself and nothing is wrong.
    Progressing {
        /// What is waited for.
        message: String,
    },
    /// Something went wrong; it is tried again.
    Retrying {
        /// What, on what, why, and the next step.
        message: String,
    },
    /// Something is missing that others must bring; it is taken up when they do.
    Waiting {
        /// What is missing.
        message: String,
    },
    /// Nothing more will happen until a person acts.
    Stalled {
        /// A word for programs.
        reason: String,
        /// Which field, why, and the next step.
        message: String,
    },
    /// The author has suspended the work.
    Suspended {
        /// Whether everything the object asks for was made before that, so that it is ready still.
        applied: bool,
        /// Why its pods do not get the identity, with what to do first. No part's condition says it.
        pods_problem: Option<String>,
    },
}

/// One part of the work, with its own condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubCondition {
    /// Type of its condition, as `IdentityReady`.
    pub kind: &'static str,
    /// Its status.
    pub status: ConditionStatus,
    /// A word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// The whole set of conditions after a reconciliation of `generation` at the time `now`, in the
/// order `Ready`, `Reconciling` or `Stalled`, then the parts of these `kinds`.
///
/// `found` is what was found out about parts. The others stay word for word as they were `before`,
/// with their generation: nothing is said of an edit that never came to them.
#[must_use]
pub fn conditions<T: Clone>(
    outcome: &ReconcileOutcome,
    kinds: &[&'static str],
    found: &[SubCondition],
    generation: i64,
    now: &T,
    before: &[Condition<T>],
) -> Vec<Condition<T>> {
    let parts: Vec<Condition<T>> = kinds
        .iter()
        .filter_map(|kind| {
            let is_it = |part: &&SubCondition| part.kind == *kind;
            match found.iter().find(is_it) {
                Some(part) => Some(condition(part.clone(), Some(generation), now, before)),
                None => known(kind, outcome, !found.is_empty(), generation, now, before),
            }
        })
        .collect();
    let mut conditions: Vec<Condition<T>> = summary(outcome, generation, &parts)
        .into_iter()
        .map(|part| condition(part, Some(generation), now, before))
        .collect();
    conditions.extend(parts);
    conditions
}

/// A part that nothing was found out about.
fn known<T: Clone>(
    kind: &'static str,
    outcome: &ReconcileOutcome,
    is_reached: bool,
    generation: i64,
    now: &T,
    before: &[Condition<T>],
) -> Option<Condition<T>> {
    let old = before.iter().find(|old| old.kind == kind).cloned();
    match (old, outcome) {
        // What this generation asks for is what was made under an earlier one.
        (Some(old), ReconcileOutcome::Suspended { applied: true, .. }) => Some(Condition {
            observed_generation: old.observed_generation.map(|_| generation),
            ..old
        }),
        (Some(old), _) => Some(old),
        (None, _) if is_reached => {
            let part = SubCondition {
                kind,
                status: ConditionStatus::Unknown,
                reason: PENDING.to_owned(),
                message: "not reached yet".to_owned(),
            };
            Some(condition(part, None, now, before))
        }
        (None, _) => None,
    }
}

/// `Ready`, and what stands beside it.
fn summary<T>(
    outcome: &ReconcileOutcome,
    generation: i64,
    parts: &[Condition<T>],
) -> Vec<SubCondition> {
    let behind = parts
        .iter()
        .find(|part| part.observed_generation != Some(generation));
    let part = |kind, status, reason: &str, message: &str| SubCondition {
        kind,
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let with = |ready, negative, reason: &str, message: &str| {
        vec![
            part(READY, ready, reason, message),
            part(negative, ConditionStatus::True, reason, message),
        ]
    };
    match outcome {
        ReconcileOutcome::Ready { message } => match behind {
            None => vec![part(READY, ConditionStatus::True, SUCCEEDED, message)],
            Some(Condition { kind, .. }) => {
                let message = format!("{kind} is not known for this generation yet");
                with(ConditionStatus::Unknown, RECONCILING, PROGRESSING, &message)
            }
        },
        ReconcileOutcome::Progressing { message } => {
            with(ConditionStatus::Unknown, RECONCILING, PROGRESSING, message)
        }
        ReconcileOutcome::Retrying { message } => {
            with(ConditionStatus::False, RECONCILING, RETRYING, message)
        }
        ReconcileOutcome::Waiting { message } => {
            with(ConditionStatus::False, RECONCILING, DEPENDENCY, message)
        }
        ReconcileOutcome::Stalled { reason, message } => {
            with(ConditionStatus::False, STALLED, reason, message)
        }
        ReconcileOutcome::Suspended {
            applied,
            pods_problem,
        } => {
            let applied = *applied && behind.is_none();
            vec![suspended(applied, pods_problem.as_deref(), parts)]
        }
    }
}

/// `Ready` of what is suspended: true while all that is asked for was made before, every part of it is
/// as it should be and all its pods get the identity.
fn suspended<T>(applied: bool, pods_problem: Option<&str>, parts: &[Condition<T>]) -> SubCondition {
    let broken = parts
        .iter()
        .find(|part| part.status != ConditionStatus::True);
    let pods_problem = broken.map(|part| part.message.as_str()).or(pods_problem);
    let (status, message) = match (applied, pods_problem) {
        (false, _) => (
            ConditionStatus::False,
            "suspended before all that is asked for was made; what there is stays, and the rest is \
             done when spec.suspend is taken back"
                .to_owned(),
        ),
        (true, Some(pods_problem)) => (
            ConditionStatus::False,
            format!("{pods_problem} | suspended; all that is asked for was made before that"),
        ),
        (true, None) => (
            ConditionStatus::True,
            "suspended; all that is asked for was made before that and stays".to_owned(),
        ),
    };
    SubCondition {
        kind: READY,
        status,
        reason: SUSPENDED.to_owned(),
        message,
    }
}

fn condition<T: Clone>(
    part: SubCondition,
    generation: Option<i64>,
    now: &T,
    before: &[Condition<T>],
) -> Condition<T> {
    let old = before
        .iter()
        .find(|old| old.kind == part.kind && old.status == part.status);
    Condition {
        kind: part.kind.to_owned(),
        status: part.status,
        reason: part.reason,
        message: part.message,
        observed_generation: generation,
        last_transition_time: old.map_or(now, |old| &old.last_transition_time).clone(),
    }
}

#[cfg(test)]
mod tests;
