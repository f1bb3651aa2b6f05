//! What podid has put on one VM or scale set, or may have: written down before Azure is asked.
//!
//! podid takes away only what the target has **and** the record names, so that nothing foreign is ever
//! stripped; and because the record comes first, nothing of ours is forgotten by a crash.

use std::collections::BTreeSet;

use serde::Serialize;

use super::plan::TargetPlan;
use crate::arm::ArmId;

/// What podid has put on one VM or scale set, or may have: written down before Azure is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AssignmentRecord(pub BTreeSet<ArmId>);

impl AssignmentRecord {
    /// The record to write before `plan` is carried out.
    #[must_use]
    pub fn ahead_of(&self, plan: &TargetPlan) -> Self {
        Self(self.0.union(&plan.add).cloned().collect())
    }

    /// The record once it is certain what the target has: nothing under way, nothing unanswered.
    #[must_use]
    pub fn settled(&self, on_target: &BTreeSet<ArmId>) -> Self {
        Self(self.0.intersection(on_target).cloned().collect())
    }
}
