//! podid on nodes that run containers, installed and fed by git: a HelmRelease by the real helm-controller, a
//! Kustomization by the real kustomize-controller, plain Helm. No program of podid is started by hand. Needs root.

// A helper that fails is a failed test. Figures are printed for the documents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod absent_operator;
mod applications;
mod broken_commit;
mod chart_upgrade;
mod cluster;
mod commit;
mod drift;
mod fleet;
mod helm;
mod kustomization;
mod platform;
mod prune;
mod quiet;
mod release;
mod statuses;
mod suspend;
mod uninstall;
