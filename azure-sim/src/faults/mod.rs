//! Faults as data: what goes wrong, for which calls, how often.
//!
//! A [`Fault`] selects calls by operation and resource, applies an [`Effect`] to them, and ends after
//! a count or a duration. Random choices come from a seeded generator, so that a run can be
//! repeated. The six effects can express every misbehaviour of Azure that podid has to cope with;
//! [`Preset`] names the usual ones.

mod effect;
mod fault;
mod preset;
mod registry;

pub use effect::{Effect, Outcome};
pub(crate) use effect::{alter, respond};
pub use fault::{ArmedFault, Fault};
pub use preset::Preset;
pub(crate) use registry::FaultRegistry;
