//! The controllers of podid: profiles become identities in Azure and objects in the cluster,
//! identities come on the machines under the pods that are bound to them.
//!
//! Every controller works the same way: *observe* reads, `podid-core` decides, *apply* acts.

pub mod app;
pub mod args;
pub mod assignment;
pub mod azure;
pub mod class;
mod conditions;
mod events;
pub mod leader;
pub mod metrics;
pub mod profile;
mod target;
pub mod watch;

/// Owner of the fields that podid applies.
pub const FIELD_MANAGER: &str = "podid-operator";
