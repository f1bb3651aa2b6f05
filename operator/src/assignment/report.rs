//! What the fleet is told of a machine.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::arm::ArmId;
use podid_core::target::AssignmentRecord;
use podid_core::target::Target;
use tokio::sync::mpsc;

use super::failure::Failure;

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) target: Target,
    /// The order that was worked on.
    pub(super) order: u64,
    /// What it carries, as Azure confirmed, without what is being taken away; `None` until it
    /// has been looked at.
    pub(super) carries: Option<BTreeSet<ArmId>>,
    /// What it carries, or may carry, through us.
    pub(super) ours: BTreeSet<ArmId>,
    /// Why desired identities are not on it.
    pub(super) failures: BTreeMap<ArmId, Failure>,
    /// Nothing is left to do, and nothing of ours is there.
    pub(super) at_rest: bool,
}

/// Sends reports, each when it differs from the last.
#[derive(Debug)]
pub(super) struct Reporter {
    to: mpsc::UnboundedSender<Report>,
    last: Option<Report>,
    pub(super) next: Report,
}

impl Reporter {
    /// A reporter about a machine that an earlier run may have left something on.
    pub(super) fn new(
        target: Target,
        ledger: &AssignmentRecord,
        to: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let next = Report {
            target,
            order: 0,
            carries: None,
            ours: ledger.0.clone(),
            failures: BTreeMap::new(),
            at_rest: false,
        };
        Self {
            to,
            last: None,
            next,
        }
    }

    /// What would be reported now.
    pub(super) fn current(&self) -> &Report {
        &self.next
    }

    /// The machine carries this, now.
    pub(super) fn carries(&mut self, identities: BTreeSet<ArmId>) {
        self.next.carries = Some(identities);
        self.send();
    }

    /// Sends what differs.
    pub(super) fn send(&mut self) {
        if self.last.as_ref() != Some(&self.next) {
            self.last = Some(self.next.clone());
            // Nobody listens when the controller is stopping; then nobody needs to know.
            let _ = self.to.send(self.next.clone());
        }
    }
}
