//! How a reconciliation came out, in the words of conditions.

use std::time::Duration;

use podid_core::arm::ArmId;
use podid_core::condition::{ConditionStatus, ReconcileOutcome, SubCondition};
use podid_core::profile::desired::Desired;
use podid_core::profile::plan::{Plan, PlanRefusal};
use podid_crds::podid::{IdentityStatus, PodIdentityProfile, RoleAssignmentStatus};

use super::apply::Progress;
use super::error::{Failure, Stage};
use super::pods::PODS_KEEP_NET_RAW;
use super::status::{Account, Report};

/// A report, and when to look again.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) report: Report,
    pub(super) again: Again,
    /// Steps that were done, in words.
    pub(super) done: Vec<String>,
    /// The profile with the status that was written meanwhile.
    pub(super) noted: Option<PodIdentityProfile>,
}

/// When to look again, beside when something changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Again {
    OnChange,
    AtInterval,
    Soon { asked: Option<Duration> },
}

impl Verdict {
    pub(super) fn without_work(outcome: ReconcileOutcome, account: Account) -> Self {
        let report = Report {
            outcome,
            parts: Vec::new(),
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again: Again::OnChange,
            done: Vec::new(),
            noted: None,
        }
    }

    pub(super) fn ready(
        desired: &Desired,
        account: Account,
        progress: Progress,
        enforcement: SubCondition,
    ) -> Self {
        let identity = account.identity.clone().unwrap_or_default();
        let name = desired.identity.id.name().to_owned();
        let roles = held_by(&account.assignments, &identity.principal_id);
        let of_machines = account.assignments.len() - roles;
        let selector = &desired.binding.selector;
        let client_id = &identity.client_id;
        let message = format!(
            "identity {name} (client id {client_id}), {}, pods with aadpodidbinding={selector}",
            count(roles, "role")
        );
        let parts = vec![
            identity_part(&identity),
            part(
                Stage::Access,
                ConditionStatus::True,
                "Granted",
                format!(
                    "the identity holds {}, machines hold {} on it",
                    count(roles, "role"),
                    count(of_machines, "role"),
                ),
            ),
            part(
                Stage::Binding,
                ConditionStatus::True,
                "Bound",
                format!("pods with aadpodidbinding={selector} are bound"),
            ),
        ];
        let (outcome, again) = match enforcement.status {
            ConditionStatus::True => (ReconcileOutcome::Ready { message }, Again::AtInterval),
            ConditionStatus::False | ConditionStatus::Unknown => (
                ReconcileOutcome::Waiting {
                    message: enforcement.message.clone(),
                },
                // When pods come and go, we are told.
                match enforcement.reason == PODS_KEEP_NET_RAW {
                    true => Again::AtInterval,
                    false => Again::Soon { asked: None },
                },
            ),
        };
        let parts = parts.into_iter().chain([enforcement]).collect();
        let report = Report {
            outcome,
            parts,
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again,
            done: progress.done,
            noted: progress.noted,
        }
    }

    pub(super) fn failed(
        failure: &Failure,
        account: Account,
        progress: Option<Progress>,
        enforcement: SubCondition,
    ) -> Self {
        let cause = &failure.cause;
        let outcome = cause.outcome();
        let again = match outcome {
            ReconcileOutcome::Stalled { .. } => Again::AtInterval,
            _ => Again::Soon {
                asked: cause.retry_after(),
            },
        };
        let hit = part(
            failure.stage,
            ConditionStatus::False,
            &cause.reason(),
            cause.message(),
        );
        // Parts that nothing was found out about stay as they were known.
        let mut parts = vec![hit, enforcement];
        // What is remembered may still be the identity of before.
        let made = progress.as_ref().and_then(|done| done.identity.as_ref());
        let is_made = |remembered: &&IdentityStatus| {
            made.is_some_and(|made| made.id == ArmId::new(&remembered.resource_id))
        };
        if let Some(identity) = account.identity.as_ref().filter(is_made)
            && failure.stage > Stage::Identity
        {
            parts.push(identity_part(identity));
        }
        let (done, noted) = progress
            .map(|progress| (progress.done, progress.noted))
            .unwrap_or_default();
        Self {
            report: Report {
                outcome,
                parts,
                account,
                planned: Vec::new(),
            },
            again,
            done,
            noted,
        }
    }

    pub(super) fn refused(
        refusals: &[PlanRefusal],
        account: Account,
        enforcement: SubCondition,
    ) -> Self {
        let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let message = texts.join(" | ");
        let reason = refusals
            .first()
            .map_or("Refused", PlanRefusal::reason)
            .to_owned();
        let (outcome, again) = match refusals.iter().all(PlanRefusal::may_pass) {
            true => (
                ReconcileOutcome::Retrying { message },
                Again::Soon { asked: None },
            ),
            false => (
                ReconcileOutcome::Stalled { reason, message },
                Again::AtInterval,
            ),
        };
        let parts = refusals
            .iter()
            .map(|refusal| {
                part(
                    stage_of(refusal),
                    ConditionStatus::False,
                    refusal.reason(),
                    refusal.to_string(),
                )
            })
            .chain([enforcement])
            .collect();
        let report = Report {
            outcome,
            parts,
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again,
            done: Vec::new(),
            noted: None,
        }
    }

    pub(super) fn drifted(plan: &Plan, account: Account, enforcement: SubCondition) -> Self {
        let planned = plan.sentences();
        let message = format!(
            "{} planned and left to a person, because spec.drift is Observe; see \
             status.plannedChanges, and set spec.drift to Enforce to have it done",
            match planned.len() {
                1 => "1 change is".to_owned(),
                count => format!("{count} changes are"),
            }
        );
        let outcome = ReconcileOutcome::Stalled {
            reason: "DriftDetected".to_owned(),
            message,
        };
        let report = Report {
            outcome,
            parts: vec![enforcement],
            account,
            planned,
        };
        Self {
            report,
            again: Again::AtInterval,
            done: Vec::new(),
            noted: None,
        }
    }
}

fn part(stage: Stage, status: ConditionStatus, reason: &str, message: String) -> SubCondition {
    let kind = match stage {
        Stage::Identity => "IdentityReady",
        Stage::Access => "AccessReady",
        Stage::Binding => "BindingReady",
    };
    SubCondition {
        kind,
        status,
        reason: reason.to_owned(),
        message,
    }
}

fn held_by(assignments: &[RoleAssignmentStatus], principal: &str) -> usize {
    assignments
        .iter()
        .filter(|held| held.principal_id.eq_ignore_ascii_case(principal))
        .count()
}

fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

fn identity_part(identity: &IdentityStatus) -> SubCondition {
    let origin = if identity.created {
        "Created"
    } else {
        "Adopted"
    };
    let id = &identity.resource_id;
    part(
        Stage::Identity,
        ConditionStatus::True,
        origin,
        format!("identity {id} is there"),
    )
}

fn stage_of(refusal: &PlanRefusal) -> Stage {
    match refusal {
        PlanRefusal::OwnedByAnother { .. }
        | PlanRefusal::NotOurs { .. }
        | PlanRefusal::NothingToAdopt { .. }
        | PlanRefusal::WrongTenant { .. } => Stage::Identity,
        PlanRefusal::UnknownRole { .. } => Stage::Access,
        PlanRefusal::ForeignChild { .. } => Stage::Binding,
    }
}
