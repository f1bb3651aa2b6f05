//! `Microsoft.Compute`: VMs and scale sets, as far as their identities are concerned.

mod assign;
mod change;
mod identity_update;
mod lookup;
mod operation;
mod read;
mod render;

pub(super) use self::change::{patch, put};
pub(super) use self::operation::poll;
pub(super) use self::read::{get, instance, instances, list, upgrade};
