//! Services that hold data: they check the caller's token and then its roles, down to the secret
//! or container.

pub(crate) mod blob;
pub(crate) mod vault;

use crate::operation::Operation;
use crate::shared::Shared;
use crate::state::{Plane, State};

/// Whether a principal holds a fitting role at `scope` that has taken effect.
fn may(
    shared: &Shared,
    state: &State,
    operation: Operation,
    principal: &str,
    need: (Plane, &str),
    scope: &str,
) -> bool {
    state.may_through(principal, need, scope, |assignment| {
        !shared.faults().lags(operation, scope, assignment.born)
    })
}
