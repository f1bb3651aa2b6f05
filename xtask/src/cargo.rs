//! Building our own programs.

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

/// Builds the programs of `packages` and returns the folder that holds them.
pub(crate) fn build(packages: &[&str], profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.arg("build").arg("--bins");
    for package in packages {
        command.args(["--package", package]);
    }
    if profile == Profile::Release {
        command.arg("--release");
    }
    process::run(&mut command)?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(metadata()?
        .target_directory
        .join(folder)
        .into_std_path_buf())
}
