//! The state of one pod's use of one identity.

use std::collections::BTreeSet;

use serde::Serialize;

use super::failure::AssignmentFailure;
use crate::arm::ArmId;
use crate::binding::Verification;

/// State of an assignment. The operator writes it; the node daemon serves tokens only for `Assigned`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AssignmentState {
    /// Known, and on its way to the VM or scale set.
    Created,
    /// On the VM or scale set, as Azure confirmed.
    Assigned,
    /// Refused until a person acts: waiting does not help, and the pod gets an error instead of waiting.
    Failed(AssignmentFailure),
}

/// State of an assignment, from the identities on the target (`None`: not read yet), the failure if
/// Azure refused it, and the state in the object that exists.
///
/// After a restart of the operator nothing has been read. Then `Assigned` stays until Azure shows that
/// the identity is absent, or the restart would stop valid tokens; and `Failed` stays until Azure accepts
/// the identity, or the restart would make its profile ready.
pub(super) fn assignment_state(
    identity: &ArmId,
    on_target: Option<&BTreeSet<ArmId>>,
    failure: Option<&AssignmentFailure>,
    before: Option<AssignmentState>,
) -> AssignmentState {
    match (on_target, failure) {
        (Some(on_target), _) if on_target.contains(identity) => AssignmentState::Assigned,
        (None, _) if before == Some(AssignmentState::Assigned) => AssignmentState::Assigned,
        (_, Some(failure)) => AssignmentState::Failed(failure.clone()),
        (Some(_), None) if before == Some(AssignmentState::Assigned) => AssignmentState::Created,
        (_, None) => before.unwrap_or(AssignmentState::Created),
    }
}

/// State of an assignment whose identity is not [verified](Verification); `None` when it is, so that
/// [`assignment_state`] decides.
pub(super) fn unverified_state(
    verification: &Verification,
    before: Option<AssignmentState>,
) -> Option<AssignmentState> {
    match verification {
        Verification::Verified => None,
        Verification::Refused(failure) => Some(AssignmentState::Failed(failure.clone())),
        // The identity may be on the target for other pods, so its presence does not count here.
        Verification::Pending(_) => Some(before.unwrap_or(AssignmentState::Created)),
    }
}

#[cfg(test)]
mod tests;
