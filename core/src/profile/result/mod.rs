//! The result of a reconciliation of a profile: its conditions, its record, and when to reconcile again.

mod applied;
mod made;

use std::time::Duration;

use serde::Serialize;

pub use applied::{applied_spec, is_applied, is_binding_applied};

use made::{count, identity_ready, made_conditions, ready_message, sub_condition};

use super::condition_type::ConditionType;
use super::failure::StepFailure;
use crate::condition::{ConditionStatus, ReconcileOutcome, SubCondition};
use crate::profile::decide::NOT_ALLOWED_BY_CLASS;
use crate::profile::desired::Desired;
use crate::profile::in_progress::HELD_BACK;
use crate::profile::observed::{ManagedIdentity, ProfileRecord, RecordedIdentity};
use crate::profile::plan::{Plan, PlanRefusal};
use crate::profile::pods::PODS_KEEP_NET_RAW;
use crate::profile::withdrawal::{Withdrawal, WithdrawalExtent};

/// The result of a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReconcileResult {
    /// The outcome, which becomes `Ready`.
    pub outcome: ReconcileOutcome,
    /// The sub-conditions that were checked. The others stay as they are.
    pub sub_conditions: Vec<SubCondition>,
    /// The record from now on.
    pub record: ProfileRecord,
    /// Steps that were only planned, as text.
    pub planned: Vec<String>,
    /// When to reconcile again.
    pub requeue: Requeue,
}

/// When to reconcile a profile again, in addition to every change that concerns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Requeue {
    /// Only after a change.
    OnChange,
    /// After the interval of the profile, or else the operator's.
    AtInterval,
    /// In its turn, as soon as there is room for its calls to Azure: some were held back.
    InTurn {
        /// When those were to come again.
        after: Duration,
    },
    /// After a pause that grows with each failure in a row.
    WithBackoff {
        /// The shortest pause that Azure asked for.
        at_least: Option<Duration>,
    },
}

impl ReconcileResult {
    /// The result when nothing was read or done.
    #[must_use]
    pub fn without_work(outcome: ReconcileOutcome, record: ProfileRecord) -> Self {
        Self {
            outcome,
            sub_conditions: Vec::new(),
            record,
            planned: Vec::new(),
            requeue: Requeue::OnChange,
        }
    }

    /// The result for a suspended profile. `enforcement` is given if everything it asks for was made before:
    /// the policy and the pods may change without an edit.
    #[must_use]
    pub fn suspended(
        record: ProfileRecord,
        pods_problem: Option<String>,
        enforcement: Option<SubCondition>,
    ) -> Self {
        let outcome = ReconcileOutcome::Suspended {
            applied: enforcement.is_some(),
            pods_problem,
        };
        let in_force = |part: &SubCondition| part.status == ConditionStatus::True;
        let requeue = match enforcement.as_ref().is_none_or(in_force) {
            true => Requeue::OnChange,
            // Policies are not watched.
            false => Requeue::AtInterval,
        };
        // `Unknown` means that it could not be read; then the reported condition stays.
        let known = enforcement.filter(|part| part.status != ConditionStatus::Unknown);
        Self {
            sub_conditions: known.into_iter().collect(),
            requeue,
            ..Self::without_work(outcome, record)
        }
    }

    /// The result when everything the profile asks for is made; `record` is what exists.
    #[must_use]
    pub fn made(desired: &Desired, record: ProfileRecord, enforcement: SubCondition) -> Self {
        let (outcome, requeue) = match enforcement.status {
            ConditionStatus::True => (
                ReconcileOutcome::Ready {
                    message: ready_message(desired, &record),
                },
                Requeue::AtInterval,
            ),
            ConditionStatus::False | ConditionStatus::Unknown => {
                let message = enforcement.message.clone();
                let requeue = match enforcement.reason == PODS_KEEP_NET_RAW {
                    // Pods are watched, so a correction causes a reconciliation.
                    true => Requeue::AtInterval,
                    // Policies are not watched.
                    false => Requeue::WithBackoff { at_least: None },
                };
                (ReconcileOutcome::Waiting { message }, requeue)
            }
        };
        let mut sub_conditions = made_conditions(desired, &record);
        sub_conditions.push(enforcement);
        Self {
            outcome,
            sub_conditions,
            record,
            planned: Vec::new(),
            requeue,
        }
    }

    /// The result when a read or write failed. `identity` is the identity that was read before, if any.
    #[must_use]
    pub fn failed(
        failure: &StepFailure,
        record: ProfileRecord,
        identity: Option<&ManagedIdentity>,
        enforcement: SubCondition,
    ) -> Self {
        if failure.is_held_back() {
            return Self::held_back(failure, record);
        }
        let outcome = failure.outcome();
        let requeue = match outcome {
            ReconcileOutcome::Stalled { .. } => Requeue::AtInterval,
            _ => Requeue::WithBackoff {
                at_least: failure.retry_after(),
            },
        };
        let hit = sub_condition(
            failure.condition,
            ConditionStatus::False,
            failure.reason(),
            failure.message.clone(),
        );
        let mut sub_conditions = vec![hit, enforcement];
        // The record may still have the identity that the profile used before. No condition is about that.
        let is_made =
            |recorded: &&RecordedIdentity| identity.is_some_and(|it| it.id == recorded.id);
        let made = record.identity.as_ref().filter(is_made);
        if failure.condition > ConditionType::IdentityReady {
            sub_conditions.extend(made.map(identity_ready));
        }
        Self {
            outcome,
            sub_conditions,
            record,
            planned: Vec::new(),
            requeue,
        }
    }

    /// The result when a call was held back. Nothing is wrong, so no condition says so.
    fn held_back(failure: &StepFailure, record: ProfileRecord) -> Self {
        let message = HELD_BACK.to_owned();
        Self {
            requeue: Requeue::InTurn {
                after: failure.retry_after().unwrap_or_default(),
            },
            ..Self::without_work(ReconcileOutcome::Progressing { message }, record)
        }
    }

    /// The result when a plan was refused.
    #[must_use]
    pub fn refused(
        refusals: &[PlanRefusal],
        record: ProfileRecord,
        enforcement: SubCondition,
    ) -> Self {
        let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let message = texts.join(" | ");
        let reason = refusals.first().map_or("Refused", PlanRefusal::reason);
        let reason = reason.to_owned();
        let (outcome, requeue) = match refusals.iter().all(PlanRefusal::may_pass) {
            true => (
                ReconcileOutcome::Retrying { message },
                Requeue::WithBackoff { at_least: None },
            ),
            false => (
                ReconcileOutcome::Stalled { reason, message },
                Requeue::AtInterval,
            ),
        };
        let refused = refusals.iter().map(|refusal| {
            let (reason, message) = (refusal.reason(), refusal.to_string());
            sub_condition(refusal.condition(), ConditionStatus::False, reason, message)
        });
        Self {
            outcome,
            sub_conditions: refused.chain([enforcement]).collect(),
            record,
            planned: Vec::new(),
            requeue,
        }
    }

    /// The result when a plan is only reported (`drift: Observe`).
    #[must_use]
    pub fn drifted(plan: &Plan, record: ProfileRecord, enforcement: SubCondition) -> Self {
        let planned = plan.sentences();
        let message = format!(
            "podid plans {} and leaves them to a person, because spec.drift is Observe; see \
             status.plannedChanges, and set spec.drift to Enforce to have them made",
            count(planned.len(), "change"),
        );
        let outcome = ReconcileOutcome::Stalled {
            reason: "DriftDetected".to_owned(),
            message,
        };
        Self {
            outcome,
            sub_conditions: vec![enforcement],
            record,
            planned,
            requeue: Requeue::AtInterval,
        }
    }

    /// The result when the class has taken away what it does not allow; `record` is what is left.
    #[must_use]
    pub fn withdrawn(withdrawal: &Withdrawal, record: ProfileRecord) -> Self {
        let message = withdrawal.to_string();
        let outcome = ReconcileOutcome::Stalled {
            reason: NOT_ALLOWED_BY_CLASS.to_owned(),
            message: message.clone(),
        };
        let gone = withdrawn_parts(withdrawal).into_iter().map(|condition| {
            let (status, message) = (ConditionStatus::False, message.clone());
            sub_condition(condition, status, NOT_ALLOWED_BY_CLASS, message)
        });
        Self {
            sub_conditions: gone.collect(),
            ..Self::without_work(outcome, record)
        }
    }

    /// The result when a step of taking something away failed. It is tried until all is taken away.
    #[must_use]
    pub fn withdrawal_failed(
        failure: &StepFailure,
        withdrawal: &Withdrawal,
        record: ProfileRecord,
    ) -> Self {
        if failure.is_held_back() {
            return Self::held_back(failure, record);
        }
        let class = &withdrawal.class;
        let message = format!(
            "class {class} takes away what it does not allow (limits.onNarrowing): {}",
            failure.message
        );
        let outcome = match failure.is_wait() {
            true => ReconcileOutcome::Progressing { message },
            false => ReconcileOutcome::Retrying { message },
        };
        Self {
            requeue: Requeue::WithBackoff {
                at_least: failure.retry_after(),
            },
            ..Self::without_work(outcome, record)
        }
    }

    /// The result while a deletion waits for pods, `until` a time that stays the same.
    #[must_use]
    pub fn deletion_serves_pods(until: &str, record: ProfileRecord) -> Self {
        let message = format!(
            "the profile is being deleted: its pods keep the identity until they have ended, and no longer than \
             until {until}"
        );
        Self::without_work(ReconcileOutcome::Progressing { message }, record)
    }

    /// The result when a step of a deletion failed.
    #[must_use]
    pub fn deletion_failed(failure: &StepFailure, record: ProfileRecord) -> Self {
        if failure.is_held_back() {
            return Self::held_back(failure, record);
        }
        Self {
            requeue: Requeue::WithBackoff {
                at_least: failure.retry_after(),
            },
            ..Self::without_work(failure.deletion_outcome(), record)
        }
    }

    /// The same result, but not ready if `problem` names a reason why pods do not get the identity.
    #[must_use]
    pub fn with_pods_problem(self, problem: Option<String>) -> Self {
        match (problem, &self.outcome) {
            (Some(message), ReconcileOutcome::Ready { .. }) => Self {
                outcome: ReconcileOutcome::Retrying { message },
                // No sooner than a ready profile: the assignment is tried again by its own controller, and
                // pods are watched.
                ..self
            },
            _ => self,
        }
    }
}

/// The parts of a profile that are not as it asks any more, because its class has taken them away.
fn withdrawn_parts(withdrawal: &Withdrawal) -> Vec<ConditionType> {
    let of_roles = [
        (!withdrawal.refused.is_empty(), ConditionType::AccessReady),
        (withdrawal.enforces_net_raw, ConditionType::EnforcementReady),
    ];
    match withdrawal.extent {
        WithdrawalExtent::Everything => {
            vec![ConditionType::AccessReady, ConditionType::BindingReady]
        }
        WithdrawalExtent::Roles => of_roles
            .into_iter()
            .filter_map(|(is_gone, condition)| is_gone.then_some(condition))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
