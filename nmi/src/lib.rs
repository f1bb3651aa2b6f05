//! The node daemon. One request walks through it like this:
//!
//! ```text
//! pod ─► kernel rules (podid-netfilter) ─► server::listen   which listener: proved or not
//!                                          server::guard    is it a token request, by the book?
//!                                          server::token    which pod, which identity, its token
//!                                            └ snapshot     what is known, read without waiting
//!                                            └ core::resolve  the decision
//!                                          server::answer   the JSON every SDK reads
//! ```
//!
//! What is known comes from two sides, which must agree on every pod:
//!
//! ```text
//! API server ─► watch ─► pod_index (PodContext by pod) ─┐
//! kernel     ─► attest (processes, namespaces, links) ──┴► keeper ─► snapshot ─► server
//!                             keeper ─► guardian ─► kernel rules (who may speak as whom)
//! ```

pub mod app;
pub mod args;
pub mod attest;
mod audit;
mod guardian;
mod keeper;
mod metrics;
mod open_files;
mod pod_context;
mod pod_events;
mod pod_index;
mod privileges;
pub mod server;
mod snapshot;
pub mod uninstall;
mod watch;
