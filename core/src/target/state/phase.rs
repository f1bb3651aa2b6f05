//! The call that is under way in a comparison, and what follows it.

use std::collections::BTreeSet;

use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::observation::TargetObservation;
use crate::target::parts::Parts;
use crate::target::plan::TargetPlan;
use crate::target::record::AssignmentRecord;

/// What is under way.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Nothing: the next comparison begins at `wake`.
    Waiting,
    /// A comparison that conflicted with another change continues at `wake`.
    AfterConflict,
    Reading,
    Saving(AssignmentRecord, AfterSaving),
    /// A part of a change, since this time.
    Patching(Change, TargetPlan, Moment),
}

/// What follows once a record is written.
#[derive(Clone, Debug)]
pub(super) enum AfterSaving {
    /// The record names the identities to add: change the target.
    Apply(Change),
    /// The record names what is on the target: end the attempt.
    Conclude {
        due: TargetPlan,
        on_target: BTreeSet<ArmId>,
    },
    /// The record is empty because the target is deleted.
    Forget,
}

/// A change that is carried out in parts.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The target as it was last read.
    pub(super) observed: TargetObservation,
    pub(super) due: TargetPlan,
    /// Identities that are removed first and added again with the others.
    pub(super) renewing: BTreeSet<ArmId>,
    pub(super) parts: Parts,
    pub(super) step: ChangeStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeStep {
    TakeOffRenewed,
    All,
}
