//! The kinds and policies on a real API server.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod added_policies;
mod aks;
mod assigned_identities;
mod assignment;
mod assignment_records;
mod bare_words;
mod bench;
mod cases;
mod chart;
mod class_limits;
mod fixture;
mod flux;
mod host_namespaces;
mod kinds;
mod legacy_identities;
mod migration;
mod neighbours;
mod net_raw;
mod node_taints;
mod objects;
mod pages;
mod people;
mod policies;
mod predecessor;
mod profile_life;
mod profile_specs;
mod releases;
mod rights;
mod stage;
mod stolen_daemon;
