//! The node daemon on a node: the real program, real namespaces, real kernel rules. Needs root.

// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

mod attacks;
mod bench;
mod boot;
mod cached;
mod crowds;
mod early;
mod entries;
mod fail_closed;
mod handover;
mod legacy;
mod link_check;
mod link_layer;
mod memory;
mod net_raw;
mod overlap;
mod ports;
mod predecessor;
mod principals;
mod requests;
mod scene;
mod shared_addresses;
mod status;
mod tokens;
mod waiting;
