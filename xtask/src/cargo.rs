//! Building our own programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// cargo; rustup picks the toolchain that the repository pins.
pub(crate) fn cargo() -> Command {
    Command::new("cargo")
}

/// The workspace by cargo's metadata.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .exec()
        .context("cargo cannot read the workspace")
}

/// Builds every program, quickly, and returns the folder that holds them. The whole workspace is
/// built each time, so that cargo chooses the same features and builds each dependency once.
pub(crate) fn build() -> Result<PathBuf> {
    process::run(cargo().args(["build", "--workspace", "--bins"]))?;
    folder("debug")
}

/// Builds some programs as users run them, and returns the folder that holds them.
pub(crate) fn build_optimised(programs: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release"]);
    command.args(programs.iter().map(|program| format!("--bin={program}")));
    process::run(&mut command)?;
    folder("release")
}

fn folder(profile: &str) -> Result<PathBuf> {
    Ok(metadata()?
        .target_directory
        .join(profile)
        .into_std_path_buf())
}
