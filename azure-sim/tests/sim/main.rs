//! The simulator from outside, over real sockets, against what Azure's contracts say.

// Helpers are part of the tests: they fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod compute;
mod conditions;
mod containers;
mod data;
mod entra;
mod faults;
mod harness;
mod identity;
mod imds;
mod program;
mod roles;
