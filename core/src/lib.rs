//! The rules of podid, pure: who may have which identity, and what to do next.
//!
//! Nothing here reads a clock, the environment, a file or the network. What is known comes in
//! as plain values, a decision goes out as a plain value that can be printed, compared and
//! tested by property. The operator and `podid plan` run the same plan; the node daemon
//! decides by resolve.

pub mod arm;
pub mod assigned_identity;
pub mod backend;
pub mod backoff;
pub mod binding;
pub mod class;
pub mod condition;
pub mod names;
pub mod net_raw;
pub mod owner;
pub mod profile;
pub mod resolve;
pub mod role;
pub mod target;
#[cfg(test)]
mod testing;
