//! The pods that are bound to one AzureIdentity, and their effect on its profile: counts, a condition, and
//! whether the profile is ready.

mod counts;
mod effect;
mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use counts::PodCounts;
pub use effect::{
    PODS_KEEP_NET_RAW, PodEffect, about_to_be_bound, assignment_ready, enforcement, pods_problem,
    policy_condition,
};
pub use entry::{PodCountEntry, pod_count_entries};
use serde::Serialize;

use crate::assigned_identity::AssignmentFailure;
use crate::binding::Unserved;
use crate::call_failure::is_reason;
use crate::condition::{ConditionStatus, SubCondition};
use crate::net_raw::{Breach, NamedPods};

/// Type of the condition about the pods' assignments.
pub const ASSIGNMENT_READY: &str = "AssignmentReady";

/// How long an assignment may take before it counts as a problem. Azure takes up to a minute; if a
/// profile were not ready meanwhile, every rollout would make it so.
pub const USUAL_WAIT: Duration = Duration::from_secs(120);

/// State of one pod's use of one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PodState {
    /// The identity is on its VM or scale set.
    Assigned,
    /// Azure has not confirmed it yet.
    UnderWay {
        /// For longer than [usual](USUAL_WAIT).
        late: bool,
        /// Azure's last refusal, if a retry may help.
        failure: Option<AssignmentFailure>,
    },
    /// It is not assigned until a person acts.
    Failed(AssignmentFailure),
    /// The pod is refused, because it breaks a rule in these ways.
    Refused(BTreeSet<Breach>),
    /// The pod is of a kind that is never served.
    Unserved(Unserved),
}

/// Counts of the pods that are bound to one AzureIdentity, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BoundPods {
    /// Pods on nodes that are bound.
    pub bound: usize,
    /// Those of them that have the identity on their VM or scale set.
    pub assigned: usize,
    /// Those of them that wait for it, no longer than usual.
    pub under_way: usize,
    /// Why others do not have it, and how many.
    pub failed: BTreeMap<AssignmentFailure, usize>,
    /// The same for those that have waited for longer than usual.
    pub late: BTreeMap<AssignmentFailure, usize>,
    /// Pods that are refused because they break the rule.
    pub refused: NamedPods,
    /// Pods of kinds that are never served.
    pub unserved: NamedPods,
    /// Pods that are served although they break the rule, because the profile only audits it.
    pub audited: NamedPods,
}

impl BoundPods {
    /// Counts one pod; `audited` holds the ways in which it breaks a rule that is only audited.
    pub fn add(&mut self, pod: &str, state: &PodState, audited: &BTreeSet<Breach>) {
        self.bound += 1;
        match state {
            PodState::Assigned => self.assigned += 1,
            PodState::UnderWay { late: false, .. } => self.under_way += 1,
            PodState::UnderWay {
                late: true,
                failure,
            } => {
                let failure = failure.clone().unwrap_or_else(delayed);
                *self.late.entry(failure).or_default() += 1;
            }
            PodState::Failed(failure) => *self.failed.entry(failure.clone()).or_default() += 1,
            PodState::Refused(breaches) => self.refused.add(pod, breaches),
            PodState::Unserved(kind) => self.unserved.add_because(pod, kind.to_string()),
        }
        if !audited.is_empty() {
            self.audited.add(pod, audited);
        }
    }

    /// Why the profile is not ready, if pods are the reason; without numbers, so that the text
    /// depends on the cause and not on how many pods there are. Of causes with one reason it has the first only: an
    /// identity that is refused on each of many VMs would fill the status.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let mut first: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for cause in self.causes() {
            let known = first.entry(&cause.reason);
            known
                .and_modify(|(_, more)| *more = true)
                .or_insert((&cause.message, false));
        }
        let causes = first.into_values().map(|(message, more)| match more {
            true => format!("{message}{ELSEWHERE}"),
            false => message.to_owned(),
        });
        let refused = (self.without_identity() > 0).then(|| REFUSED.to_owned());
        let causes: Vec<String> = causes.chain(refused).collect();
        (!causes.is_empty()).then(|| causes.join(" | "))
    }

    /// The condition `AssignmentReady`. `Unknown` while pods wait no longer than usual, which
    /// leaves the profile ready.
    #[must_use]
    pub fn part(&self) -> SubCondition {
        let counts = self.counts();
        let first = self.causes().next();
        let (status, reason, message) = match self.problem() {
            Some(problem) => (
                ConditionStatus::False,
                first.map_or("PodsRefused", |first| as_reason(&first.reason)),
                format!("{counts}{BEFORE_PROBLEM}{problem}"),
            ),
            _ if self.under_way > 0 => (ConditionStatus::Unknown, "Assigning", counts),
            _ if self.bound == 0 => (ConditionStatus::True, "NoPods", counts),
            _ => (ConditionStatus::True, "Assigned", counts),
        };
        SubCondition {
            kind: ASSIGNMENT_READY,
            status,
            reason: reason.to_owned(),
            message,
        }
    }

    /// The problem in the message of an [`AssignmentReady`](ASSIGNMENT_READY) that is `False`.
    #[must_use]
    pub fn problem_in(message: &str) -> &str {
        let parts = message.split_once(BEFORE_PROBLEM);
        parts.map_or(message, |(_, problem)| problem)
    }

    /// How many of them get no identity at all.
    #[must_use]
    pub fn without_identity(&self) -> usize {
        self.refused.count + self.unserved.count
    }

    /// How many of them have the identity, or may get it.
    #[must_use]
    pub fn served(&self) -> usize {
        self.bound.saturating_sub(self.without_identity())
    }

    fn causes(&self) -> impl Iterator<Item = &AssignmentFailure> {
        self.failed.keys().chain(self.late.keys())
    }

    fn counts(&self) -> String {
        let (bound, assigned) = (self.bound, self.assigned);
        let refused = match self.without_identity() {
            0 => String::new(),
            count => format!(", {count} refused (see status.refusedPods)"),
        };
        match bound {
            0 => "no pod on a node is bound".to_owned(),
            1 => format!("{assigned} of 1 pod has the identity on its node{refused}"),
            _ => format!("{assigned} of {bound} pods have the identity on their node{refused}"),
        }
    }
}

/// Separates the counts from the problem; it does not occur in the counts.
const BEFORE_PROBLEM: &str = ": ";

/// What follows the first of several causes with one reason.
const ELSEWHERE: &str =
    "; and the like on other VMs or scale sets, as the Events of the pods there say";

/// What is wrong with pods that are refused, and what to do.
const REFUSED: &str = "the pods that status.refusedPods names get no identity; correct their template, \
     as their Events say, and recreate them";

fn delayed() -> AssignmentFailure {
    AssignmentFailure {
        reason: "AssignmentDelayed".to_owned(),
        message:
            "Azure takes longer than usual to put the identity on the pods' VMs or scale sets; wait, \
                  or see the operator's log"
                .to_owned(),
    }
}

/// Azure's code where Kubernetes takes it as the reason of a condition.
fn as_reason(code: &str) -> &str {
    match is_reason(code) {
        true => code,
        false => "AssignmentFailed",
    }
}

#[cfg(test)]
mod tests;
