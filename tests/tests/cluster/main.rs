//! The kinds and policies on a real API server.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod assigned_identities;
mod assignment;
mod bare_words;
mod cases;
mod fixture;
mod kinds;
mod net_raw;
mod node_taints;
mod objects;
mod people;
mod predecessor;
mod profile_life;
mod rights;
mod stage;
