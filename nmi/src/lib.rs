//! The node daemon. One request passes these modules:
//!
//! ```text
//! pod ─► intercept (kernel rules)   the connection, and whether its caller is verified
//!          server::listen           which pod that is, and whether it may have another connection
//!          server::request          validation: is it a token request?
//!          server::service          one token request from end to end
//!            └ snapshot               what is known, read without waiting
//!            └ core::resolve          the decision: which identity, from which source
//!            └ token::cache           the token, if it is kept
//!            └ token                  else from that source, within the limits of the metadata service
//!            └ attest::link_check     is the caller's link still the one that was attested?
//!          answer                   the JSON that every SDK reads
//! ```
//!
//! What is known comes from two sides, which must agree on every pod:
//!
//! ```text
//! API server ─► watch ─► pod_index (PodContext by pod) ─┐
//! kernel     ─► attest (processes, namespaces, links) ──┴► pod_state ─► snapshot ─► server
//!                             core::attest compares both
//!                        pod_state ─► intercept ─► kernel rules (who reaches the attested listener)
//! ```
//!
//! A daemon that starts while another one runs shares its sockets (`shared_listener`), and takes over the rules and
//! the calls (`intercept::Handover`) when `pod_state` knows every pod.

mod answer;
mod api_clients;
pub mod app;
pub mod args;
mod attest;
mod audit;
pub mod boot_unit;
pub mod close;
mod intercept;
mod metrics;
mod open_files;
mod pod_context;
mod pod_events;
mod pod_index;
mod pod_state;
mod privileges;
pub mod probe;
mod recent_errors;
mod server;
mod shared_listener;
mod snapshot;
pub mod status;
#[cfg(test)]
mod testing;
mod token;
pub mod uninstall;
mod watch;

/// For the tests that change real links.
pub use attest::{KernelLinkCheck, LinkCheck};
