//! The conditions of a profile or class, by the rules of kstatus, which Flux and other GitOps
//! tools read:
//!
//! - `Ready` is always present. `Reconciling` and `Stalled` are present only while true, never
//!   together, and never while `Ready` is true.
//! - `Ready` repeats reason and message of `Stalled` or `Reconciling`, whichever is present.
//! - Every condition has the generation that it is about: `Ready` has that of the object, a sub-condition
//!   the one under which it was last checked. `Ready` is never true while a sub-condition is of an
//!   earlier generation.
//! - A transition time changes only when the status changes.

mod event;

pub use event::{ConditionEvent, condition_event, not_ready_event, ready_event};
use serde::Serialize;

/// Reason of `Ready` when everything is as desired.
pub const SUCCEEDED: &str = "ReconciliationSucceeded";
/// Reason while work goes on and nothing has failed.
pub const PROGRESSING: &str = "Progressing";
/// Reason while something that failed is tried again.
pub const RETRYING: &str = "ProgressingWithRetry";
/// Reason while something is missing that others must provide.
pub const DEPENDENCY: &str = "DependencyNotReady";
/// Reason of a profile that its author has suspended.
pub const SUSPENDED: &str = "Suspended";
/// Reason of a sub-condition about which the API server gave no answer.
pub const API_SERVER_REFUSED: &str = "ApiServerRefused";
/// Reason of a sub-condition that has not been checked yet.
pub const PENDING: &str = "Pending";

/// Type of the summary condition.
pub const READY: &str = "Ready";
/// Type of the condition that is true while work goes on.
pub const RECONCILING: &str = "Reconciling";
/// Type of the condition that is true while nothing will happen until a person acts.
pub const STALLED: &str = "Stalled";

/// The `status` of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ConditionStatus {
    /// The condition is true.
    True,
    /// The condition is false.
    False,
    /// Not known yet.
    Unknown,
}

impl ConditionStatus {
    /// The value in the Kubernetes API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition; `T` is the caller's type for times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition<T> {
    /// `type`, as `Ready`.
    pub kind: String,
    /// Its status.
    pub status: ConditionStatus,
    /// A word for programs.
    pub reason: String,
    /// A sentence for people. Equal causes give equal sentences: no times, no counters.
    pub message: String,
    /// Generation that it is about; `None` for a sub-condition that was never checked.
    pub observed_generation: Option<i64>,
    /// When its status last changed.
    pub last_transition_time: T,
}

/// How a reconciliation came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ReconcileOutcome {
    /// Everything is as desired.
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
    /// Something is missing that others must provide; work continues when they do.
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
        /// Whether everything the object asks for was made before that, so that it is still ready.
        applied: bool,
        /// Why its pods do not get the identity, the next step first. No sub-condition contains this.
        pods_problem: Option<String>,
    },
}

/// The condition of one part of the work, as `IdentityReady`.
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
/// order `Ready`, `Reconciling` or `Stalled`, then the sub-conditions of these `kinds`.
///
/// `found` are the sub-conditions that this reconciliation checked. The others stay exactly as they were
/// `before`, with their generation, because this generation was not compared with them.
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
                None => unchecked(kind, outcome, !found.is_empty(), generation, now, before),
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

/// The conditions `before`, with a part that was checked again without a reconciliation. The part gets the
/// generation of the others: they still hold, and it does not depend on the spec.
#[must_use]
pub fn with_part<T: Clone>(
    before: &[Condition<T>],
    part: SubCondition,
    now: &T,
) -> Vec<Condition<T>> {
    let ready = before.iter().find(|one| one.kind == READY);
    let generation = ready.and_then(|ready| ready.observed_generation);
    let (kind, part) = (part.kind, condition(part, generation, now, before));
    let mut conditions = before.to_vec();
    // In its place: another order would be a change of the status.
    match conditions.iter_mut().find(|one| one.kind == kind) {
        Some(known) => *known = part,
        None => conditions.push(part),
    }
    conditions
}

/// A sub-condition that this reconciliation did not check.
fn unchecked<T: Clone>(
    kind: &'static str,
    outcome: &ReconcileOutcome,
    is_reached: bool,
    generation: i64,
    now: &T,
    before: &[Condition<T>],
) -> Option<Condition<T>> {
    let old = before.iter().find(|old| old.kind == kind).cloned();
    match (old, outcome) {
        // Everything that this generation asks for was made under an earlier one.
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
                message: "podid has not come to this part of it yet".to_owned(),
            };
            Some(condition(part, None, now, before))
        }
        (None, _) => None,
    }
}

/// `Ready`, and `Reconciling` or `Stalled` beside it.
fn summary<T>(
    outcome: &ReconcileOutcome,
    generation: i64,
    parts: &[Condition<T>],
) -> Vec<SubCondition> {
    use ConditionStatus::{False, True, Unknown};
    let mut all = parts.iter();
    let behind = all.find(|part| part.observed_generation != Some(generation));
    let with = |ready, negative, reason: &str, message: &str| {
        vec![
            part(READY, ready, reason, message),
            part(negative, True, reason, message),
        ]
    };
    match outcome {
        ReconcileOutcome::Ready { message } => match behind {
            None => vec![part(READY, True, SUCCEEDED, message)],
            Some(Condition { kind, .. }) => {
                let message = format!("{kind} is not known for this generation yet");
                with(Unknown, RECONCILING, PROGRESSING, &message)
            }
        },
        ReconcileOutcome::Progressing { message } => {
            with(Unknown, RECONCILING, PROGRESSING, message)
        }
        ReconcileOutcome::Retrying { message } => with(False, RECONCILING, RETRYING, message),
        ReconcileOutcome::Waiting { message } => with(False, RECONCILING, DEPENDENCY, message),
        ReconcileOutcome::Stalled { reason, message } => with(False, STALLED, reason, message),
        ReconcileOutcome::Suspended {
            applied,
            pods_problem,
        } => {
            let applied = *applied && behind.is_none();
            let ready = suspended(applied, pods_problem.as_deref(), parts);
            // What was not made stays so until a person acts: without this, Flux would wait for it.
            let stalled = (!applied).then(|| SubCondition {
                kind: STALLED,
                status: True,
                ..ready.clone()
            });
            std::iter::once(ready).chain(stalled).collect()
        }
    }
}

fn part(kind: &'static str, status: ConditionStatus, reason: &str, message: &str) -> SubCondition {
    SubCondition {
        kind,
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// `Ready` of a suspended object: true while everything it asks for was made before, every sub-condition is
/// true and all its pods get the identity.
fn suspended<T>(applied: bool, pods_problem: Option<&str>, parts: &[Condition<T>]) -> SubCondition {
    let broken = parts
        .iter()
        .find(|part| part.status != ConditionStatus::True);
    let pods_problem = broken.map(|part| part.message.as_str()).or(pods_problem);
    let (status, message) = match (applied, pods_problem) {
        (false, _) => (
            ConditionStatus::False,
            "the profile was suspended before all that its spec asks for was made; what exists stays, \
             and podid makes the rest when spec.suspend is removed"
                .to_owned(),
        ),
        (true, Some(pods_problem)) => (
            ConditionStatus::False,
            format!(
                "{pods_problem} | the profile is suspended; all that its spec asks for was made before"
            ),
        ),
        (true, None) => (
            ConditionStatus::True,
            "the profile is suspended; all that its spec asks for was made before and stays".to_owned(),
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
