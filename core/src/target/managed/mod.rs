//! One target, as those see it who desire identities on it and need to know which ones it may have.

use std::collections::BTreeSet;

use super::desired::DesiredIdentities;
use super::failure::Persistence;
use super::state::TargetEvent;
use super::status::TargetStatus;
use crate::arm::ArmId;

/// What is desired on a target, and what its [state machine](super::TargetState) last reported. Events reach
/// the state machine late, and so do its reports: a report may be about a generation of desired identities
/// that is not the last one.
///
/// Invariant: [`identities`](Self::identities) names every identity that may be on the target through podid,
/// also one that the state machine is only about to put on. An identity that no target names may be deleted in
/// Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedTarget {
    generation: u64,
    desired: DesiredIdentities,
    /// Identities that were desired since the last report about the last generation. The state machine may
    /// be putting them on.
    pending: BTreeSet<ArmId>,
    status: TargetStatus,
}

/// What follows from a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The identities about which something else is known than before.
    pub changed: BTreeSet<ArmId>,
    /// Those of them that Azure refuses for a reason of their own, which no wait mends. What was read of them before
    /// may be outdated.
    pub refused: BTreeSet<ArmId>,
    /// Whether podid has nothing on the target and nothing to do there: its state machine is to end.
    pub is_finished: bool,
}

impl ManagedTarget {
    /// A target whose state machine begins with this status, and the first event for it.
    #[must_use]
    pub fn new(desired: DesiredIdentities, status: TargetStatus) -> (Self, TargetEvent) {
        let generation = 1;
        let managed = Self {
            generation,
            pending: desired.desired.clone(),
            desired: desired.clone(),
            status,
        };
        (managed, TargetEvent::Desired(generation, desired))
    }

    /// Sets what the target should have. Returns the event for the state machine if that is something else
    /// than before.
    pub fn set_desired(&mut self, desired: DesiredIdentities) -> Option<TargetEvent> {
        if self.desired == desired {
            return None;
        }
        self.pending.extend(desired.desired.iter().cloned());
        self.generation += 1;
        self.desired.clone_from(&desired);
        Some(TargetEvent::Desired(self.generation, desired))
    }

    /// Sets what the state machine reports.
    pub fn on_status(&mut self, status: TargetStatus) -> StatusChange {
        let changed = status.differing(&self.status);
        let refused = changed.iter();
        let refused = refused.filter(|id| {
            let failure = status.failures.get(*id);
            failure.is_some_and(|failure| failure.persistence != Persistence::Transient)
        });
        let refused = refused.cloned().collect();
        // A report about an earlier generation says nothing of what is put on since.
        let is_last = status.generation == self.generation;
        if is_last {
            self.pending.clone_from(&self.desired.desired);
        }
        self.status = status;
        StatusChange {
            changed,
            refused,
            is_finished: is_last && self.status.at_rest,
        }
    }

    /// The last report.
    #[must_use]
    pub fn status(&self) -> &TargetStatus {
        &self.status
    }

    /// The identities that the target has through podid, or may have.
    #[must_use]
    pub fn identities(&self) -> BTreeSet<ArmId> {
        &self.pending | &self.status.ours
    }

    /// Whether the target has this identity through podid, or may have it.
    #[must_use]
    pub fn may_have(&self, identity: &ArmId) -> bool {
        self.pending.contains(identity) || self.status.ours.contains(identity)
    }
}

#[cfg(test)]
mod tests;
