//! What a VM or scale set should have, as it follows from the pods on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arm::ArmId;
use crate::binding::{AzureIdentity, Verification};

/// The identities that a VM or scale set should have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DesiredIdentities {
    /// Identities that must be on it.
    pub desired: BTreeSet<ArmId>,
    /// Client ids of these, as in the AzureIdentities; absent where AzureIdentities disagree.
    pub client_ids: BTreeMap<ArmId, String>,
    /// Identities that are left on it if present, and not added if absent.
    pub kept: BTreeSet<ArmId>,
}

/// What the use of an identity by a pod means for the VM or scale set under the pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum IdentityUse {
    /// The identity must be on it, with the client id that the AzureIdentity has.
    Desired {
        /// As written in the AzureIdentity.
        client_id: String,
    },
    /// It is not known yet whether the pod may have the identity: what is on it stays, and nothing is added.
    Kept,
}

impl IdentityUse {
    /// What follows from the verification of the AzureIdentity by which a pod uses its identity; `None`
    /// when nothing does, as if the pod did not use it.
    #[must_use]
    pub fn of(identity: &AzureIdentity, verification: &Verification) -> Option<Self> {
        match verification {
            Verification::Verified => Some(Self::Desired {
                client_id: identity.client_id.clone(),
            }),
            Verification::Pending(_) => Some(Self::Kept),
            Verification::Refused(_) => None,
        }
    }
}

impl DesiredIdentities {
    /// What follows from all uses of identities by the pods on one VM or scale set. The client id of an
    /// identity that is used by several ones is not known: one of the AzureIdentities is outdated, and the
    /// identity must not be taken off and put on again because of it.
    #[must_use]
    pub fn of<'a>(uses: impl IntoIterator<Item = (&'a ArmId, &'a IdentityUse)>) -> Self {
        let mut all = Self::default();
        let mut client_ids: BTreeMap<&ArmId, BTreeSet<&String>> = BTreeMap::new();
        for (id, identity_use) in uses {
            match identity_use {
                IdentityUse::Desired { client_id } => {
                    all.desired.insert(id.clone());
                    client_ids.entry(id).or_default().insert(client_id);
                }
                IdentityUse::Kept => drop(all.kept.insert(id.clone())),
            }
        }
        for (id, mut written) in client_ids {
            if let (Some(only), true) = (written.pop_first(), written.is_empty()) {
                all.client_ids.insert(id.clone(), only.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::assigned_identity::AssignmentFailure;
    use crate::binding::AzureIdentityType;
    use crate::testing::{id, identity, ids};

    fn desired(client_id: &str) -> IdentityUse {
        let client_id = client_id.to_owned();
        IdentityUse::Desired { client_id }
    }

    #[test]
    fn only_a_verified_identity_is_put_on_and_only_a_refused_one_is_let_go() {
        let failure = AssignmentFailure {
            reason: "R".into(),
            message: "m".into(),
        };
        let a = identity("i", AzureIdentityType::Managed, id("a"));
        let table = [
            (Verification::Verified, Some(desired("c"))),
            (Verification::Pending(None), Some(IdentityUse::Kept)),
            (
                Verification::Pending(Some(failure.clone())),
                Some(IdentityUse::Kept),
            ),
            (Verification::Refused(failure), None),
        ];
        for (verification, expected) in table {
            let found = IdentityUse::of(&a, &verification);
            assert_eq!(found, expected, "{verification:?}");
        }
    }

    #[test]
    fn the_client_id_counts_only_while_all_who_write_it_agree() {
        let (a, b) = (id("a"), id("b"));
        let (one, other) = (desired("one"), desired("other"));
        let of = |uses: &[(&ArmId, &IdentityUse)]| DesiredIdentities::of(uses.iter().copied());
        let agreed = of(&[(&a, &one), (&a, &one), (&a, &IdentityUse::Kept)]);
        assert_eq!(agreed.client_ids, [(a.clone(), "one".to_owned())].into());
        let split = of(&[(&a, &one), (&a, &other), (&a, &one), (&b, &other)]);
        assert_eq!(split.client_ids, [(b.clone(), "other".to_owned())].into());
        assert_eq!(split.desired, ids(&["a", "b"]));
    }

    fn uses() -> impl Strategy<Value = Vec<(ArmId, IdentityUse)>> {
        let one = prop_oneof![
            Just(IdentityUse::Kept),
            "[xy]".prop_map(|client_id| IdentityUse::Desired { client_id }),
        ];
        vec(("[a-d]".prop_map(|name| id(&name)), one), 0..12)
    }

    fn of(uses: &[(ArmId, IdentityUse)]) -> DesiredIdentities {
        DesiredIdentities::of(uses.iter().map(|(id, one)| (id, one)))
    }

    proptest! {
        #[test]
        fn an_identity_is_on_a_target_for_as_long_as_one_pod_needs_it(all in uses()) {
            let target = of(&all);
            for (id, one) in &all {
                let set = match one {
                    IdentityUse::Desired { .. } => &target.desired,
                    IdentityUse::Kept => &target.kept,
                };
                prop_assert!(set.contains(id));
            }
            let used = |id: &ArmId, kept| {
                all.iter().any(|(other, one)| id == other && kept == (*one == IdentityUse::Kept))
            };
            prop_assert!(target.desired.iter().all(|id| used(id, false)));
            prop_assert!(target.kept.iter().all(|id| used(id, true)));
            prop_assert!(target.client_ids.keys().all(|id| target.desired.contains(id)));
        }

        #[test]
        fn the_order_and_the_number_of_equal_uses_do_not_matter(all in uses()) {
            let mut twice = all.clone();
            twice.extend(all.iter().rev().cloned());
            prop_assert_eq!(of(&twice), of(&all));
        }
    }
}
