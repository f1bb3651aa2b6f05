//! What is installed: the container images, pushing them to a real registry, and podid in a cluster of real
//! kubelets. Needs root.

// A helper that fails is a failed test. Figures are printed for the documents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod as_node;
mod bare;
mod cluster;
mod contents;
mod daemon_rights;
mod fixture;
mod fresh_node;
mod names;
mod networks;
mod push;
mod refusals;
mod registry;
mod reproducible;
mod restarts;
mod rights;
mod settings;
mod uninstall;
mod unserved;
mod wrong_setting;
