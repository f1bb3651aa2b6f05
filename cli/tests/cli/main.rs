//! Every command, run in process against real git working trees.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod create;
mod fixture;
mod general;
mod plan;
mod roles;
