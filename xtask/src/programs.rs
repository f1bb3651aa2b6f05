//! Commands that are programs of the workspace: built, then handed over to.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{cargo, process, ui};

/// What can be measured.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Benchmark {
    /// Tokens from the node daemon, against a bare HTTP server with the same bytes.
    Node,
    /// Identities for pods from the operator, against the bound that Azure's own rules give.
    Operator,
    /// Creates of pods with podid's admission policies, against the same without, and beside thousands of profiles.
    Admission,
}

/// Builds all programs and runs the one called `name`.
pub(crate) fn run(name: &str, arguments: &[OsString]) -> Result<ExitCode> {
    let folder = cargo::build()?;
    let mut command = Command::new(folder.join(name));
    // Messages of the lab name the command that the person typed.
    command.env("PODID_LAB_COMMAND", "cargo xtask lab");
    process::exit_code(command.args(arguments))
}

/// Builds optimised programs and measures them.
pub(crate) fn bench(what: Benchmark, arguments: &[OsString]) -> Result<ExitCode> {
    ui::step("Building optimised programs");
    let (program, others) = match what {
        Benchmark::Node => ("bench-node", &["podid-nmi"][..]),
        Benchmark::Operator => (
            "bench-operator",
            &["podid-operator", "podid-lab", "azure-sim"][..],
        ),
        Benchmark::Admission => ("bench-admission", &["podid-lab", "azure-sim"][..]),
    };
    let folder = cargo::build_optimised(&[&[program], others].concat())?;
    process::exit_code(Command::new(folder.join(program)).args(arguments))
}
