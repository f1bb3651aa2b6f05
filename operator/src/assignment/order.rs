//! What a worker is told that its machine is to carry.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::arm::ArmId;

/// What a machine is to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What is to be on it.
    pub(super) desired: BTreeSet<ArmId>,
    /// Their client ids, where they are known.
    pub(super) client_ids: BTreeMap<ArmId, String>,
    /// What may stay if it is there, and is not to be put there.
    pub(super) kept: BTreeSet<ArmId>,
}

/// What a worker is told. Numbered, so that an answer tells which order it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: u64,
    pub(super) wanted: Wanted,
    /// Identities to try at once, by the number of the order that first asked for it.
    pub(super) hurried: BTreeMap<ArmId, u64>,
}

/// What an order has that an earlier one had not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something else is to be carried.
    Wanted,
    /// Somebody asks for the machine to be compared, no more.
    Asked,
    Both,
}

impl Order {
    pub(super) fn news_since(&self, earlier: &Self) -> News {
        let asked = self.hurried_since(earlier.number).next().is_some();
        match (asked, self.wanted == earlier.wanted) {
            (false, _) => News::Wanted,
            (true, true) => News::Asked,
            (true, false) => News::Both,
        }
    }

    /// Identities to try at once that an earlier order did not name.
    pub(super) fn hurried_since(&self, number: u64) -> impl Iterator<Item = &ArmId> {
        let newer = self
            .hurried
            .iter()
            .filter(move |(_, asked)| **asked > number);
        newer.map(|(identity, _)| identity)
    }
}
