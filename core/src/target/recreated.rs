use std::collections::{BTreeMap, BTreeSet};

use crate::arm::ArmId;
use crate::target::AssignmentRecord;

/// The identities on a VM or scale set that were deleted in Azure and created again under the same id. The
/// target still has the deleted one, for which IMDS issues no tokens. They count as absent, and must be
/// removed and added again.
///
/// `expected` are the client ids in the AzureIdentities, `shown` those that the target shows; where one of
/// the two is not known, the identity is left out. So is what the record does not name, and what is
/// `immutable`.
#[must_use]
pub fn recreated(
    expected: &BTreeMap<ArmId, String>,
    shown: &BTreeMap<ArmId, String>,
    record: &AssignmentRecord,
    immutable: &BTreeSet<ArmId>,
) -> BTreeSet<ArmId> {
    let differs = |id: &&ArmId| {
        let (expected, shown) = (expected.get(*id), shown.get(*id));
        let both = expected.zip(shown);
        both.is_some_and(|(expected, shown)| !expected.eq_ignore_ascii_case(shown))
    };
    let ours = record.0.difference(immutable);
    ours.filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_is_outdated_and_only_where_both_client_ids_are_known() {
        let id = ArmId::new("/id/A");
        let of = |client: &str| match client {
            "" => BTreeMap::new(),
            _ => BTreeMap::from([(ArmId::new("/ID/a"), client.to_owned())]),
        };
        let (ours, theirs) = (
            AssignmentRecord([id.clone()].into()),
            AssignmentRecord::default(),
        );
        let (all, none) = (BTreeSet::from([id.clone()]), BTreeSet::new());
        let table = [
            ("new", "old", &ours, &none, &all),
            ("new", "NEW", &ours, &none, &none),
            ("", "old", &ours, &none, &none),
            ("new", "", &ours, &none, &none),
            ("new", "old", &theirs, &none, &none),
            ("new", "old", &ours, &all, &none),
        ];
        for (expected, shown, record, immutable, named) in table {
            let found = recreated(&of(expected), &of(shown), record, immutable);
            assert_eq!(found, *named, "{expected:?} {shown:?}");
        }
    }
}
