//! The controllers of podid: profiles become identities in Azure and objects in the cluster,
//! identities are assigned to the VMs and scale sets under the pods that are bound to them.
//!
//! Every controller works the same way: *observe* reads, `podid-core` decides, *apply* acts.

pub mod annotations;
pub mod app;
pub mod args;
pub mod assigned_identity;
pub mod azure;
mod azure_error;
pub mod class;
mod clock;
mod conditions;
mod dirty;
mod events;
#[cfg(test)]
mod fake_api_server;
pub mod gate;
pub mod leader;
pub mod metrics;
pub mod node_guard;
mod policies;
pub mod profile;
pub mod retry;
mod target;
mod trigger;
pub mod uninstall;

/// Label with the program that made an object: [`FIELD_MANAGER`].
const MANAGED_BY: &str = podid_crds::convert::MANAGED_BY_LABEL;

/// Owner of the fields that podid applies.
pub const FIELD_MANAGER: &str = podid_crds::convert::OPERATOR;
