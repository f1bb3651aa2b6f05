//! `cargo xtask bench`: speed, as ratios in one run.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{self, Profile};
use crate::{process, ui};

/// What can be measured.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum What {
    /// Tokens from the node daemon, against a bare HTTP server with the same bytes.
    Node,
}

/// Builds optimised programs and measures them.
pub(crate) fn run(what: What, arguments: &[String]) -> Result<ExitCode> {
    match what {
        What::Node => {
            ui::step("Building optimised programs");
            let programs = cargo::build(&["podid-tests", "podid-nmi"], Profile::Release)?;
            process::exit_code(Command::new(programs.join("bench-node")).args(arguments))
        }
    }
}
