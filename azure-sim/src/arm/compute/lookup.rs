//! Finding a VM or scale set.

use crate::arm::error::{ArmError, Result};
use crate::ids::{ResourceId, SCALE_SETS, VIRTUAL_MACHINES};
use crate::resources::ComputeResource;
use crate::state::State;

/// The control plane action `verb` on resources of a type.
pub(super) fn action(kind: &str, verb: &str) -> String {
    format!("{kind}/{verb}")
}

/// The VM or scale set, or 404.
pub(super) fn find<'s>(state: &'s State, id: &ResourceId) -> Result<&'s ComputeResource> {
    state.compute.get(&id.key()).ok_or_else(|| missing(id))
}

pub(super) fn missing(id: &ResourceId) -> ArmError {
    let kind = if id.kind == VIRTUAL_MACHINES {
        VIRTUAL_MACHINES
    } else {
        SCALE_SETS
    };
    ArmError::resource_not_found(kind, &id.name, &id.group)
}
