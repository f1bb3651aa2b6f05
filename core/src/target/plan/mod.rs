//! What to change about the user-assigned identities of one VM or scale set.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::target::record::AssignmentRecord;

/// Changes of the user-assigned identities of one VM or scale set. Its own (system-assigned)
/// identity is not part of it, hence never touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TargetPlan {
    /// Wanted and absent.
    pub add: BTreeSet<ArmId>,
    /// Present, put there by podid, and no longer wanted.
    pub remove: BTreeSet<ArmId>,
}

/// What to change on a target that has `on_target` and should have `desired`.
///
/// `record` is what podid put there; `immutable` is never removed, whoever put it there.
#[must_use]
pub fn plan_target(
    desired: &BTreeSet<ArmId>,
    on_target: &BTreeSet<ArmId>,
    record: &AssignmentRecord,
    immutable: &BTreeSet<ArmId>,
) -> TargetPlan {
    let ours = on_target.intersection(&record.0);
    let unwanted = ours.filter(|id| !desired.contains(*id) && !immutable.contains(*id));
    TargetPlan {
        add: desired.difference(on_target).cloned().collect(),
        remove: unwanted.cloned().collect(),
    }
}

impl TargetPlan {
    /// Whether there is nothing to do: then Azure is not called at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// How many identities it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.add.len() + self.remove.len()
    }

    /// The plan in parts of at most `max` identities, additions first: pods wait for those.
    #[must_use]
    pub fn chunks(&self, max: usize) -> Vec<Self> {
        let adds = self.add.iter().map(|id| (id, true));
        let changes: Vec<_> = adds
            .chain(self.remove.iter().map(|id| (id, false)))
            .collect();
        changes
            .chunks(max.max(1))
            .map(|part| {
                let these = |adding: bool| {
                    let of_kind = part.iter().filter(move |(_, add)| *add == adding);
                    of_kind.map(|(id, _)| (*id).clone()).collect()
                };
                Self {
                    add: these(true),
                    remove: these(false),
                }
            })
            .collect()
    }

    /// What is left of the plan without these identities.
    #[must_use]
    pub fn without(&self, identities: &BTreeSet<ArmId>) -> Self {
        Self {
            add: &self.add - identities,
            remove: &self.remove - identities,
        }
    }
}

impl fmt::Display for TargetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing to change");
        }
        let adds = self.add.iter().map(|id| ('+', id));
        let changes = adds.chain(self.remove.iter().map(|id| ('-', id)));
        for (position, (sign, id)) in changes.enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{sign}{}", id.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
