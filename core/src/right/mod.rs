//! Rights in words, and which of them a change gains or loses.

mod phrases;
mod place;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::profile::desired::{Desired, Grantee};
use crate::role::Role;

/// A role at a scope, as its holder has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// The role.
    pub role: Role,
    /// The scope; the right holds there and below.
    pub scope: ArmId,
}

impl Right {
    /// Whether who has `self` has `other` too: the same role at the same scope, or further up.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.role.is(&other.role) && self.scope.covers(&other.scope)
    }
}

impl fmt::Display for Right {
    /// As `read on all secrets of vault kv-payments (Key Vault Secrets User)`. A role whose meaning only Azure
    /// knows is told by its name alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, is_resource) = place::of(&self.scope);
        let name = self.role.built_in_name();
        let Some((name, (allows, kind))) = name.and_then(|name| Some((name, phrases::of(name)?)))
        else {
            return write!(f, "the role {} on {place}", self.role);
        };
        match (kind, is_resource) {
            (_, true) => write!(f, "{allows} of {place} ({name})"),
            (Some(kind), false) => write!(f, "{allows} of every {kind} in {place} ({name})"),
            (None, false) => write!(f, "{allows} in {place} ({name})"),
        }
    }
}

/// The rights of an admitted profile's identity; those of the kubelet identity are not among them.
#[must_use]
pub fn rights(desired: &Desired) -> BTreeSet<Right> {
    let own = desired
        .grants
        .iter()
        .filter(|grant| grant.to == Grantee::Identity);
    own.map(|grant| Right {
        role: grant.role.clone(),
        scope: grant.scope.clone(),
    })
    .collect()
}

/// What becomes of the rights of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RightsChange {
    /// It could not do this before.
    pub gained: Vec<Right>,
    /// It cannot do this any more.
    pub lost: Vec<Right>,
}

impl RightsChange {
    /// The change from `old` to `new`. A right that is granted anew and was covered by a wider one is no gain,
    /// and one that is revoked and still covered by a wider one is no loss.
    #[must_use]
    pub fn between(old: &BTreeSet<Right>, new: &BTreeSet<Right>) -> Self {
        Self {
            gained: uncovered(new, old),
            lost: uncovered(old, new),
        }
    }

    /// Whether nothing is gained or lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

fn uncovered(rights: &BTreeSet<Right>, by: &BTreeSet<Right>) -> Vec<Right> {
    let is_covered = |right: &&Right| by.iter().any(|other| other.covers(right));
    rights
        .iter()
        .filter(|right| !is_covered(right))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
