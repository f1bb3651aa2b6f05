use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arm::ArmId;

/// What Azure shows of the identities of a VM or scale set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetObservation {
    /// The user-assigned identities on it.
    pub user_assigned: BTreeSet<ArmId>,
    /// Their client ids, as far as Azure shows them. An identity that was deleted and made again under
    /// the same id has another client id here than it has itself.
    pub client_ids: BTreeMap<ArmId, String>,
    /// Whether it has an identity of its own. A change names this kind again, or Azure takes it away.
    pub system_assigned: bool,
    /// Version for `If-Match`.
    pub etag: Option<String>,
    /// Azure's `provisioningState`, in any letter case.
    pub provisioning_state: Option<String>,
}

impl TargetObservation {
    /// Whether it is being deleted; Azure refuses changes then.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.is_in_state("Deleting")
    }

    /// Whether Azure has not finished an earlier change, whoever asked for it. Old API versions have no
    /// state.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let ends = ["Succeeded", "Failed", "Canceled"];
        self.provisioning_state.is_some() && !ends.iter().any(|end| self.is_in_state(end))
    }

    fn is_in_state(&self, word: &str) -> bool {
        let state = self.provisioning_state.as_deref();
        state.is_some_and(|state| state.eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_no_end_is_a_change_under_way() {
        let table = [
            (None, false, false),
            (Some("Succeeded"), false, false),
            (Some("failed"), false, false),
            (Some("Canceled"), false, false),
            (Some("Updating"), true, false),
            (Some("Migrating"), true, false),
            (Some("deleting"), true, true),
        ];
        for (state, changing, deleting) in table {
            let observed = TargetObservation {
                provisioning_state: state.map(str::to_owned),
                ..TargetObservation::default()
            };
            assert_eq!(observed.is_changing(), changing, "{state:?}");
            assert_eq!(observed.is_deleting(), deleting, "{state:?}");
        }
    }
}
