//! Every command, run in process against real git working trees.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api_server;
mod azure_role;
mod bad_input;
mod bad_repository;
mod bootstrap;
mod create;
mod fixture;
mod general;
mod migrate;
mod pages;
mod pipelines;
mod plan;
mod plan_fleet;
mod plan_live;
mod plan_range;
mod plan_tree;
mod pods;
mod profile;
mod roles;
