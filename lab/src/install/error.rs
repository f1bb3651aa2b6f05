//! What can go wrong with an installation.

use std::path::PathBuf;

use crate::lab::LabError;

/// Why podid could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The lab refused, or does not answer.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A program of ours is not built.
    #[error(
        "{0} is not there; build it with `cargo build --workspace --bins`, or name a folder in --programs"
    )]
    Missing(PathBuf),
    /// The lab's folder cannot be written.
    #[error(
        "cannot make podid's programs known to the lab; is there room, and is the lab still up?"
    )]
    Offer(#[source] std::io::Error),
    /// An image of ours is not built.
    #[error("{0} is not there; build it with `cargo xtask image`, or name its folder in --images")]
    NoImage(PathBuf),
    /// The nodes are stand-ins.
    #[error(
        "the nodes of lab {0} run no containers; start a lab with `up --node-agent kubelet`, or leave \
         --images out"
    )]
    NoContainers(String),
    /// A thread that imports images panicked.
    #[error("importing images failed; this is a bug of the lab")]
    Panicked,
    /// The folder with our manifests is not there.
    #[error("{0} is not a folder; go to the clone's root, or name the folder in --manifests")]
    NoManifests(PathBuf),
    /// The simulated Azure would not let the operator sign in.
    #[error("podid cannot sign in to the simulated Azure of lab {lab}: {missing}")]
    SignIn {
        /// The lab's name.
        lab: String,
        /// What is missing there, and what to add to the seed.
        missing: String,
    },
    /// A tool cannot be run.
    #[error("cannot run {0}")]
    Run(String, #[source] std::io::Error),
    /// A tool failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
}
