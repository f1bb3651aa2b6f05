//! Whether a VM or scale set still has an identity through podid. An identity that none has may be deleted
//! in Azure; one that still has it would keep the id of something that is gone, and refuse later changes.

use std::collections::BTreeSet;

use serde::Serialize;

use super::id::Target;
use crate::arm::ArmId;
use crate::binding::Binding;
use crate::object_key::ObjectKey;

/// The VMs and scale sets that have an identity through podid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum TargetsWithIdentity {
    /// Not known: not every VM or scale set that podid has put something on is known.
    Unknown,
    /// On none of those that were asked about: all of podid's, or those [without](Self::without) some.
    Nowhere,
    /// On these, or on its way there or back.
    On(Vec<Target>),
}

impl TargetsWithIdentity {
    /// The targets of `known` that may have the identity. `known` holds, for every target on which podid has
    /// put something, the identities that it may have; `None` while one of them may be missing.
    #[must_use]
    pub fn of<'a>(
        identity: &ArmId,
        known: Option<impl IntoIterator<Item = (&'a Target, &'a BTreeSet<ArmId>)>>,
    ) -> Self {
        let Some(known) = known else {
            return Self::Unknown;
        };
        let having = known.into_iter().filter(|(_, ids)| ids.contains(identity));
        Self::on(having.map(|(target, _)| target.clone()).collect())
    }

    /// The same without the targets on which the identity is [only used by others](is_only_used_by_others):
    /// they may keep it for ever.
    #[must_use]
    pub fn without(self, is_only_used_by_others: impl Fn(&Target) -> bool) -> Self {
        match self {
            Self::On(mut targets) => {
                targets.retain(|target| !is_only_used_by_others(target));
                Self::on(targets)
            }
            other => other,
        }
    }

    fn on(targets: Vec<Target>) -> Self {
        match targets.is_empty() {
            true => Self::Nowhere,
            false => Self::On(targets),
        }
    }
}

/// Whether pods on a target use an identity, and none of them by the binding of this profile. `bindings` are
/// those by which pods there use it. An identity that no pod uses is about to be taken off the target, so it
/// is not used by others.
#[must_use]
pub fn is_only_used_by_others<'a>(
    bindings: impl IntoIterator<Item = &'a Binding>,
    profile: &ObjectKey,
) -> bool {
    let mut bindings = bindings.into_iter().peekable();
    let is_own = |binding: &Binding| binding.profile().as_ref() == Some(profile);
    bindings.peek().is_some() && !bindings.any(is_own)
}

#[cfg(test)]
mod tests;
