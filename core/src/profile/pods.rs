//! What the pods that are bound to one AzureIdentity come to, in numbers and in a condition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::assigned_identity::AssignmentFailure;
use crate::condition::{ConditionStatus, SubCondition};
use crate::net_raw::{self, Breach};

/// Type of the condition.
pub const ASSIGNMENT_READY: &str = "AssignmentReady";

/// How long an assignment may be under way before it counts as trouble. Azure takes up to a minute;
/// until then a new pod is no news about its profile, or every rollout would unsettle it.
pub const USUAL_WAIT: Duration = Duration::from_secs(120);

/// How many pods are named where pods are listed.
pub const MAX_NAMED: usize = 20;

/// How far one pod is with one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// The identity is on the machine under it.
    Assigned,
    /// On its way.
    UnderWay {
        /// For longer than [usual](USUAL_WAIT).
        late: bool,
        /// What Azure answered last, if it refused and trying again may help.
        trouble: Option<AssignmentFailure>,
    },
    /// It does not come until a person acts.
    Failed(AssignmentFailure),
    /// The pod is refused, because it breaks a rule in these ways.
    Refused(BTreeSet<Breach>),
}

/// What all pods that are bound to one AzureIdentity come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundPods {
    /// Pods on nodes that are bound.
    pub bound: usize,
    /// Those of them that have the identity on their machine.
    pub assigned: usize,
    /// Those of them for which it is on its way, and no trouble yet.
    pub under_way: usize,
    /// Why others do not have it, and how many.
    pub failed: BTreeMap<AssignmentFailure, usize>,
    /// The same for those that have waited for longer than usual.
    pub late: BTreeMap<AssignmentFailure, usize>,
    /// Pods that are refused.
    pub refused: NamedPods,
    /// Pods that are served although they break the rule, because the profile only audits it.
    pub audited: NamedPods,
}

/// The first pods of a kind by name, each with the ways in which it breaks the rule, and how many
/// there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedPods {
    /// Pods by name; at most [`MAX_NAMED`].
    pub first: BTreeMap<String, String>,
    /// How many there are.
    pub count: usize,
}

impl NamedPods {
    /// Adds a pod.
    pub fn add(&mut self, pod: &str, breaches: &BTreeSet<Breach>) {
        self.count += 1;
        self.first
            .insert(pod.to_owned(), net_raw::describe(breaches));
        if self.first.len() > MAX_NAMED {
            self.first.pop_last();
        }
    }

    /// As `web-0 (container app does not drop NET_RAW), web-1 (…) and others`. Without a number, so
    /// that the sentence stays while others come and go.
    #[must_use]
    pub fn sentence(&self, max: usize) -> String {
        let named = self.first.iter().take(max);
        let named: Vec<String> = named.map(|(pod, why)| format!("{pod} ({why})")).collect();
        let others = if self.count > named.len() {
            " and others"
        } else {
            ""
        };
        format!("{}{others}", named.join(", "))
    }
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
                trouble,
            } => {
                let trouble = trouble.clone().unwrap_or_else(delayed);
                *self.late.entry(trouble).or_default() += 1;
            }
            PodState::Failed(failure) => *self.failed.entry(failure.clone()).or_default() += 1,
            PodState::Refused(breaches) => self.refused.add(pod, breaches),
        }
        if !audited.is_empty() {
            self.audited.add(pod, audited);
        }
    }

    /// Why the profile is not ready, if pods are the reason; without numbers, so that the same cause
    /// gives the same sentence whatever pods come and go.
    #[must_use]
    pub fn hindrance(&self) -> Option<String> {
        let causes = self.causes().map(|cause| cause.message.as_str());
        let refused = (self.refused.count > 0).then_some(REFUSED);
        let causes: Vec<&str> = causes.chain(refused).collect();
        (!causes.is_empty()).then(|| causes.join(" | "))
    }

    /// The condition `AssignmentReady`. `Unknown` while pods wait no longer than usual: that
    /// unsettles nothing.
    #[must_use]
    pub fn part(&self) -> SubCondition {
        let counts = self.counts();
        let first = self.causes().next();
        let (status, reason, message) = match self.hindrance() {
            Some(hindrance) => (
                ConditionStatus::False,
                first.map_or("PodsRefused", |first| as_reason(&first.reason)),
                format!("{counts}{BEFORE_HINDRANCE}{hindrance}"),
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

    /// The hindrance in the message of an [`AssignmentReady`](ASSIGNMENT_READY) that is `False`.
    #[must_use]
    pub fn hindrance_in(message: &str) -> &str {
        let parts = message.split_once(BEFORE_HINDRANCE);
        parts.map_or(message, |(_, hindrance)| hindrance)
    }

    fn causes(&self) -> impl Iterator<Item = &AssignmentFailure> {
        self.failed.keys().chain(self.late.keys())
    }

    fn counts(&self) -> String {
        let (bound, assigned) = (self.bound, self.assigned);
        let refused = match self.refused.count {
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

/// Between the counts, in which it does not occur, and the hindrance.
const BEFORE_HINDRANCE: &str = ": ";

/// What to do about pods that are refused.
const REFUSED: &str = "correct the template of the pods that status.refusedPods names, as their \
     Events say, and recreate them";

fn delayed() -> AssignmentFailure {
    AssignmentFailure {
        reason: "AssignmentDelayed".to_owned(),
        message:
            "wait, or see the operator's log: Azure takes longer than usual to put the identity \
                  on the pods' machines"
                .to_owned(),
    }
}

/// Azure's code where Kubernetes takes it as the reason of a condition.
fn as_reason(code: &str) -> &str {
    let word = code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.len() <= 128
        && code.chars().all(|c| c.is_ascii_alphanumeric());
    if word { code } else { "AssignmentFailed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: &str) -> AssignmentFailure {
        AssignmentFailure {
            reason: reason.into(),
            message: format!("mend {reason}"),
        }
    }

    fn under_way(late: bool, reason: Option<&str>) -> PodState {
        PodState::UnderWay {
            late,
            trouble: reason.map(failure),
        }
    }

    fn bound(states: &[PodState]) -> BoundPods {
        let mut bound = BoundPods::default();
        for (number, state) in states.iter().enumerate() {
            bound.add(&format!("web-{number}"), state, &BTreeSet::new());
        }
        bound
    }

    #[test]
    fn pods_on_their_way_unsettle_nothing_until_it_takes_longer_than_usual() {
        use PodState::{Assigned, Failed, Refused};
        let refused = || Refused([Breach::HostPid].into());
        let table = [
            (vec![], "True NoPods: no pod on a node is bound", None),
            (
                vec![Assigned, Assigned],
                "True Assigned: 2 of 2 pods have the identity on their node",
                None,
            ),
            (
                vec![Assigned, under_way(false, None)],
                "Unknown Assigning: 1 of 2 pods have the identity on their node",
                None,
            ),
            (
                vec![under_way(false, Some("Throttled"))],
                "Unknown Assigning: 0 of 1 pod has the identity on its node",
                None,
            ),
            (
                vec![Assigned, under_way(true, Some("Throttled"))],
                "False Throttled: 1 of 2 pods have the identity on their node: mend Throttled",
                Some("mend Throttled"),
            ),
            (
                vec![
                    Failed(failure("LinkedAuthorizationFailed")),
                    under_way(false, None),
                ],
                "False LinkedAuthorizationFailed: 0 of 2 pods have the identity on their node: mend \
                 LinkedAuthorizationFailed",
                Some("mend LinkedAuthorizationFailed"),
            ),
            (
                vec![Failed(failure("odd code"))],
                "False AssignmentFailed: 0 of 1 pod has the identity on its node: mend odd code",
                Some("mend odd code"),
            ),
            (
                vec![Assigned, refused()],
                "False PodsRefused: 1 of 2 pods have the identity on their node, 1 refused (see \
                 status.refusedPods): correct the template of the pods that status.refusedPods names, \
                 as their Events say, and recreate them",
                Some(REFUSED),
            ),
        ];
        for (states, expected, hindrance) in table {
            let bound = bound(&states);
            let part = bound.part();
            let said = format!("{} {}: {}", part.status.as_str(), part.reason, part.message);
            assert_eq!(said, expected);
            assert_eq!(bound.hindrance().as_deref(), hindrance, "{states:?}");
            if let Some(hindrance) = hindrance {
                assert_eq!(BoundPods::hindrance_in(&part.message), hindrance);
            }
        }
    }

    #[test]
    fn a_wait_without_an_answer_is_named_too() {
        let part = bound(&[under_way(true, None)]).part();
        assert_eq!(
            (part.status, part.reason.as_str()),
            (ConditionStatus::False, "AssignmentDelayed")
        );
    }

    #[test]
    fn the_cause_stays_the_same_sentence_whatever_pods_come() {
        let failed = PodState::Failed(failure("Forbidden"));
        let one = bound(std::slice::from_ref(&failed));
        let three = bound(&[failed.clone(), PodState::Assigned, failed]);
        assert_eq!(one.hindrance(), three.hindrance());
    }

    #[test]
    fn few_pods_are_named_and_all_are_counted() {
        let refused = PodState::Refused([Breach::HostPid].into());
        let many = bound(&vec![refused; 50]).refused;
        assert_eq!((many.first.len(), many.count), (MAX_NAMED, 50));
        let text = many.sentence(2);
        assert_eq!(
            text,
            "web-0 (the pod sets hostPID: true), web-1 (the pod sets hostPID: true) and others"
        );
    }
}
