//! What one pod comes to for the profiles that bind it.

use std::collections::BTreeSet;

use podid_core::assigned_identity::AssignmentFailure;
use podid_core::net_raw::Breach;

/// What one pod comes to with one AzureIdentity, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) stage: Stage,
    /// In which ways it breaks a rule that is only audited.
    pub(super) audited: BTreeSet<Breach>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Assigned,
    /// With what Azure answered last, if it refused.
    UnderWay(Option<AssignmentFailure>),
    Failed(AssignmentFailure),
    Refused(BTreeSet<Breach>),
}
