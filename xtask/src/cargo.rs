//! Building our own programs.
//!
//! Every build takes the whole workspace, so that cargo chooses the same features each time and
//! builds each dependency once.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// Optimised or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// What users run, and what is measured.
    Release,
}

/// cargo, in the repository's root; rustup picks the toolchain that the repository pins.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(process::root());
    command
}

/// The workspace as cargo sees it.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(process::root())
        .exec()
        .context("cargo cannot read the workspace")
}

/// Builds every program and returns the folder that holds them.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins"]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    process::run(&mut command)?;
    Ok(metadata()?
        .target_directory
        .join(folder)
        .into_std_path_buf())
}
