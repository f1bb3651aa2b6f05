//! The rules of podid, pure: who may have which identity, and what to do next.
//!
//! Nothing here reads a clock, the environment, a file or the network. Facts come in as plain
//! values, and a decision goes out as a plain value that can be printed, compared and tested by
//! property. The operator and `podid plan` make the same plan; the node daemon decides by `attest`
//! which pod is calling and by `resolve` what the pod gets.

pub mod arm;
pub mod arm_budget;
pub mod assigned_identity;
pub mod attest;
pub mod azure_role;
pub mod backend;
pub mod backoff;
pub mod binding;
pub mod broken_rule;
pub mod call_failure;
pub mod class;
pub mod condition;
pub mod imds_limit;
pub mod lease;
pub mod moment;
pub mod names;
pub mod net_raw;
pub mod node_guard;
pub mod object_key;
pub mod owner;
pub mod policy;
pub mod profile;
pub mod resolve;
pub mod right;
pub mod role;
pub mod scope;
pub mod service_principal;
pub mod spelling;
pub mod target;
#[cfg(test)]
mod testing;
mod token_bucket;
pub mod token_cache;
pub mod uninstall;
