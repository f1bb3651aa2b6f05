use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::failure::TargetFailure;
use crate::arm::ArmId;

/// What is known of the identities of a VM or scale set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetStatus {
    /// The generation of desired identities that the last comparison was about.
    pub generation: u64,
    /// Identities on it, as Azure confirmed, without those that are being removed; `None` until it was read.
    pub present: Option<BTreeSet<ArmId>>,
    /// Identities that podid has put on it, or may have put on it.
    pub ours: BTreeSet<ArmId>,
    /// Why desired identities are not on it.
    pub failures: BTreeMap<ArmId, TargetFailure>,
    /// Whether nothing is left to do and podid has no identity on it.
    pub at_rest: bool,
}

impl TargetStatus {
    /// The identities whose presence or failure differs from `before`.
    #[must_use]
    pub fn differing(&self, before: &Self) -> BTreeSet<ArmId> {
        let none = BTreeSet::new();
        let was = before.present.as_ref().unwrap_or(&none);
        let mut differing = was ^ self.present.as_ref().unwrap_or(&none);
        let failed = before.failures.keys().chain(self.failures.keys());
        let differs = |id: &&ArmId| before.failures.get(*id) != self.failures.get(*id);
        differing.extend(failed.filter(differs).cloned());
        differing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;
    use crate::testing::{id, ids};

    #[test]
    fn what_came_went_or_failed_otherwise_differs() {
        let target = Target::parse(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm",
        );
        let not_found = TargetFailure::target_not_found(&target.expect("a VM"));
        let status = |present: &[&str], failed: &str, failure: &TargetFailure| TargetStatus {
            present: Some(ids(present)),
            failures: BTreeMap::from([(id(failed), failure.clone())]),
            ..TargetStatus::default()
        };
        let unknown = TargetStatus::default();
        let before = status(&["a", "b"], "x", &not_found);
        assert_eq!(before.differing(&unknown), ids(&["a", "b", "x"]));
        assert_eq!(before.differing(&before), ids(&[]));
        let other = TargetFailure::record_not_written("no");
        assert_eq!(
            status(&["a", "c"], "x", &other).differing(&before),
            ids(&["b", "c", "x"])
        );
        assert_eq!(
            status(&["a", "b"], "y", &not_found).differing(&before),
            ids(&["x", "y"])
        );
    }
}
