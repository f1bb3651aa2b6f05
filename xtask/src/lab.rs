//! `cargo xtask lab`: builds `podid-lab` and hands over to it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{self, Profile};
use crate::process;

/// Every program that runs in a lab with podid in it.
pub(crate) const PROGRAMS: &[&str] = &["podid-lab", "podid-operator", "podid-nmi", "podid"];

/// Builds the lab's programs and returns the folder that holds them.
pub(crate) fn programs() -> Result<PathBuf> {
    cargo::build(PROGRAMS, Profile::Dev)
}

/// Runs `podid-lab` with `arguments`.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let folder = programs()?;
    process::exit_code(Command::new(folder.join("podid-lab")).args(arguments))
}
