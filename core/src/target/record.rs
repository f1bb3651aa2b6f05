//! The record of the identities that podid has put on one VM or scale set, or may have put there.
//!
//! podid removes only identities that the target has **and** the record names, so it never removes what
//! somebody else put there. The record is written before Azure is called, so a crash between the two
//! leaves nothing unrecorded.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::arm::ArmId;

/// The identities that podid has put on one VM or scale set, or may have put there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AssignmentRecord(pub BTreeSet<ArmId>);

impl AssignmentRecord {
    /// The record to write before these identities are added.
    #[must_use]
    pub fn ahead_of(&self, added: &BTreeSet<ArmId>) -> Self {
        Self(self.0.union(added).cloned().collect())
    }

    /// The record once it is certain what the target has: no change is under way or unanswered.
    #[must_use]
    pub fn settled(&self, on_target: &BTreeSet<ArmId>) -> Self {
        Self(self.0.intersection(on_target).cloned().collect())
    }
}
