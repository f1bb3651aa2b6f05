use std::collections::{BTreeMap, BTreeSet};

use super::Ledger;
use crate::arm::ArmId;

/// The identities on a machine that are not what their id stands for any more: each was deleted in
/// Azure and made again under the same id, and the machine still holds the one of before, for which
/// nobody gets tokens. They count as absent, and are to be taken off and put on again.
///
/// `expected` is the client id that the AzureIdentity says, `shown` the one that the machine shows;
/// where either is not known, nothing is concluded. Only what we put there is named, and nothing
/// `immutable`.
#[must_use]
pub fn outdated(
    expected: &BTreeMap<ArmId, String>,
    shown: &BTreeMap<ArmId, String>,
    ledger: &Ledger,
    immutable: &BTreeSet<ArmId>,
) -> BTreeSet<ArmId> {
    let differs = |id: &&ArmId| {
        let (expected, shown) = (expected.get(*id), shown.get(*id));
        let both = expected.zip(shown);
        both.is_some_and(|(expected, shown)| !expected.eq_ignore_ascii_case(shown))
    };
    let ours = ledger.0.difference(immutable);
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
        let (ours, theirs) = (Ledger([id.clone()].into()), Ledger::default());
        let (all, none) = (BTreeSet::from([id.clone()]), BTreeSet::new());
        let table = [
            ("new", "old", &ours, &none, &all),
            ("new", "NEW", &ours, &none, &none),
            ("", "old", &ours, &none, &none),
            ("new", "", &ours, &none, &none),
            ("new", "old", &theirs, &none, &none),
            ("new", "old", &ours, &all, &none),
        ];
        for (expected, shown, ledger, immutable, named) in table {
            let found = outdated(&of(expected), &of(shown), ledger, immutable);
            assert_eq!(found, *named, "{expected:?} {shown:?}");
        }
    }
}
