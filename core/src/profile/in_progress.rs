//! The message of the status while a plan is carried out: a call to Azure may take a minute.

use crate::condition::{Condition, READY, RECONCILING, STALLED};
use crate::profile::observed::ProfileRecord;
use crate::profile::plan::{Plan, Step};
use crate::profile::progress::record_before;

/// Message before anything is read, for a profile that has no `Ready` yet.
pub const READING: &str = "podid is reading what exists in Azure and in the cluster";

/// Message before role assignments are made.
pub const GRANTING: &str = "podid is granting roles";

/// Message while calls are held back, when a part of the work is done.
pub const HELD_BACK: &str = "podid goes on as soon as Azure's limits on requests allow more calls";

/// Whether the status has a `Ready`, of any generation.
#[must_use]
pub fn is_reported<T>(conditions: &[Condition<T>]) -> bool {
    conditions.iter().any(|condition| condition.kind == READY)
}

/// Message before the first write to Azure. `None` if this generation was worked on before, so that a retry
/// keeps the message of the failure, and if the record stays what it is.
#[must_use]
pub fn first_write<T>(
    plan: &Plan,
    record: &ProfileRecord,
    conditions: &[Condition<T>],
    generation: Option<i64>,
) -> Option<String> {
    if was_worked_on(conditions, generation) && record_before(plan, record) == *record {
        return None;
    }
    plan.steps.iter().find_map(in_progress)
}

/// Whether a sub-condition is of this generation: every failure and every success sets one, while the three
/// summary conditions are also set before any work.
fn was_worked_on<T>(conditions: &[Condition<T>], generation: Option<i64>) -> bool {
    let is_part = |kind: &str| ![READY, RECONCILING, STALLED].contains(&kind);
    conditions
        .iter()
        .any(|condition| is_part(&condition.kind) && condition.observed_generation == generation)
}

/// The message for a step that writes to Azure. The other steps are quick and get none.
fn in_progress(step: &Step) -> Option<String> {
    Some(match step {
        Step::CreateIdentity { id, .. } => format!("podid is creating identity {}", id.name()),
        Step::UpdateTags { id, .. } => {
            format!("podid is updating the tags of identity {}", id.name())
        }
        Step::GrantRole(_) | Step::GrantNodeRole(_) => GRANTING.to_owned(),
        Step::RevokeRole { .. } => "podid is revoking roles".to_owned(),
        Step::DeleteIdentity { id } => format!("podid is deleting identity {}", id.name()),
        Step::AdoptIdentity { .. }
        | Step::ApplyAzureIdentity { .. }
        | Step::ApplyBinding { .. }
        | Step::DeleteBinding { .. }
        | Step::DeleteAzureIdentity { .. }
        | Step::AwaitUnassigned { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::ConditionStatus;
    use crate::profile::plan::UsedBy;
    use crate::testing::id;

    fn condition(kind: &str, generation: i64) -> Condition<()> {
        Condition {
            kind: kind.into(),
            status: ConditionStatus::False,
            reason: "R".into(),
            message: "m".into(),
            observed_generation: Some(generation),
            last_transition_time: (),
        }
    }

    fn plan() -> Plan {
        Plan {
            steps: vec![
                Step::AdoptIdentity { id: id("a") },
                Step::DeleteIdentity { id: id("b") },
            ],
            held: Vec::new(),
        }
    }

    #[test]
    fn the_first_write_is_said_once_a_generation() {
        let record = ProfileRecord::default();
        let said =
            |conditions: &[Condition<()>]| first_write(&plan(), &record, conditions, Some(2));
        let deleting = Some("podid is deleting identity b".to_owned());
        assert_eq!(said(&[]), deleting);
        for kind in [READY, RECONCILING, STALLED] {
            assert_eq!(said(&[condition(kind, 2)]), deleting, "{kind}");
        }
        assert_eq!(said(&[condition("AccessReady", 1)]), deleting);
        assert_eq!(said(&[condition("AccessReady", 2)]), None);
    }

    #[test]
    fn an_identity_that_is_not_recorded_is_never_begun_unsaid() {
        let step = Step::CreateIdentity {
            id: id("a"),
            location: "westeurope".into(),
            tags: [].into(),
        };
        let plan = Plan {
            steps: vec![step],
            held: Vec::new(),
        };
        let worked_on = [condition("AccessReady", 2)];
        let before = ProfileRecord::default();
        let said = first_write(&plan, &before, &worked_on, Some(2));
        assert_eq!(said.as_deref(), Some("podid is creating identity a"));
        let after = record_before(&plan, &before);
        assert_eq!(first_write(&plan, &after, &worked_on, Some(2)), None);
    }

    #[test]
    fn a_plan_that_writes_nothing_to_azure_is_not_announced() {
        let plan = Plan {
            steps: vec![Step::AwaitUnassigned {
                id: id("a"),
                used_by: UsedBy::Anyone,
            }],
            held: Vec::new(),
        };
        assert_eq!(
            first_write::<()>(&plan, &ProfileRecord::default(), &[], Some(1)),
            None
        );
    }

    #[test]
    fn only_ready_counts_as_a_report() {
        assert!(!is_reported::<()>(&[]));
        assert!(!is_reported(&[condition("AssignmentReady", 1)]));
        assert!(is_reported(&[condition(READY, 1)]));
    }
}
