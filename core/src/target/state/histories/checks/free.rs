//! The invariants of which identities are free, so that they may be deleted.

use super::{Checks, holds};
use crate::target::state::histories::azure::Azure;
use crate::target::{ManagedTarget, StatusChange};

impl Checks {
    /// What podid put on the target, or is putting there, must not count as free: whoever deletes the
    /// identity goes by that, also while answers are lost and reports are late.
    pub(in crate::target::state::histories) fn nothing_is_free(
        &self,
        managed: &ManagedTarget,
        azure: &Azure,
    ) -> Result<(), String> {
        let operation = azure.operation.iter().filter(|operation| operation.by_us);
        let on_its_way = operation.flat_map(|operation| &operation.add);
        let mut put = self.ours.iter().chain(on_its_way);
        match put.find(|id| !managed.may_have(id)) {
            Some(id) => Err(format!("{id} counts as free, and we put it on the target")),
            None => Ok(()),
        }
    }

    pub(in crate::target::state::histories) fn on_status(
        &self,
        change: &StatusChange,
        managed: &ManagedTarget,
    ) -> Result<(), String> {
        let left = change.is_finished && !managed.identities().is_empty();
        holds(!left, "finished with something on the target")
    }
}
