//! The conditions of a profile or class, by the rules of kstatus, which Flux and other GitOps
//! tools read:
//!
//! - `Ready` is always there. `Reconciling` and `Stalled` are there only while true, and never
//!   together, and never while `Ready` is true.
//! - `Ready` repeats reason and message of `Stalled` or `Reconciling`, whichever is there.
//! - Every condition carries the generation that it speaks of.
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

/// Type of the condition that sums up all.
pub const READY: &str = "Ready";
/// Type of the condition that says: work goes on.
pub const RECONCILING: &str = "Reconciling";
/// Type of the condition that says: nothing more will happen until a person acts.
pub const STALLED: &str = "Stalled";

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

impl Status {
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
    pub status: Status,
    /// A word for programs.
    pub reason: String,
    /// A sentence for people. Equal causes give equal sentences: no times, no counters.
    pub message: String,
    /// Generation it speaks of.
    pub observed_generation: i64,
    /// When its status last changed.
    pub last_transition_time: T,
}

/// How a reconciliation came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
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
    /// The author has suspended the work; what was ready stays so.
    Suspended,
}

/// One part of the work, with its own condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Type of its condition, as `IdentityReady`.
    pub kind: &'static str,
    /// Its status.
    pub status: Status,
    /// A word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// The whole set of conditions after a reconciliation of `generation` at the time `now`, in the
/// order `Ready`, `Reconciling` or `Stalled`, parts. Without `parts`, those of before stay as they
/// were: what was made is still there.
#[must_use]
pub fn conditions<T: Clone>(
    outcome: &Outcome,
    parts: &[Part],
    generation: i64,
    now: &T,
    before: &[Condition<T>],
) -> Vec<Condition<T>> {
    let mut set = summary(outcome, before);
    set.extend(parts.iter().cloned());
    let mut conditions: Vec<Condition<T>> = set
        .into_iter()
        .map(|part| condition(part, generation, now, before))
        .collect();
    if parts.is_empty() {
        let kept = before
            .iter()
            .filter(|old| ![READY, RECONCILING, STALLED].contains(&&*old.kind));
        conditions.extend(kept.map(|old| Condition {
            observed_generation: generation,
            ..old.clone()
        }));
    }
    conditions
}

fn summary<T>(outcome: &Outcome, before: &[Condition<T>]) -> Vec<Part> {
    let part = |kind, status, reason: &str, message: &str| Part {
        kind,
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let with = |ready, negative, reason: &str, message: &str| {
        vec![
            part(READY, ready, reason, message),
            part(negative, Status::True, reason, message),
        ]
    };
    match outcome {
        Outcome::Ready { message } => vec![part(READY, Status::True, SUCCEEDED, message)],
        Outcome::Progressing { message } => {
            with(Status::Unknown, RECONCILING, PROGRESSING, message)
        }
        Outcome::Retrying { message } => with(Status::False, RECONCILING, RETRYING, message),
        Outcome::Waiting { message } => with(Status::False, RECONCILING, DEPENDENCY, message),
        Outcome::Stalled { reason, message } => with(Status::False, STALLED, reason, message),
        Outcome::Suspended => {
            let was_ready = before
                .iter()
                .any(|old| old.kind == READY && old.status == Status::True);
            let (status, message) = match was_ready {
                true => (
                    Status::True,
                    "suspended; what was made stays, changes are not applied",
                ),
                false => (
                    Status::False,
                    "suspended before it was ready; nothing is done",
                ),
            };
            vec![part(READY, status, SUSPENDED, message)]
        }
    }
}

fn condition<T: Clone>(
    part: Part,
    generation: i64,
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
