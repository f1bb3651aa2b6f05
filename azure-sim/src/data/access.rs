//! The role check of services that hold data.

use crate::conditions::Attempt;
use crate::operation::Operation;
use crate::resources::Plane;
use crate::shared::Shared;
use crate::state::State;

/// Whether a role assignment allows `principal` an action at `scope`. An assignment that a lag still
/// hides does not count.
pub(super) fn is_allowed(
    shared: &Shared,
    state: &State,
    operation: Operation,
    principal: &str,
    (plane, action): (Plane, &str),
    scope: &str,
) -> bool {
    let attempt = Attempt::of(action);
    state.is_allowed_through(principal, (plane, &attempt), scope, |assignment| {
        !shared
            .faults()
            .lags(operation, scope, assignment.created_at)
    })
}
