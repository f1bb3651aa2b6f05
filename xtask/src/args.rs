//! The command line of the task runner.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::check;
use crate::programs::{self, Benchmark};
use crate::test::{self, Release, Ring};

/// Everything a developer or CI does to this repository, as one command.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sets up all it needs, then does podid's main job before your eyes.
    ///
    /// `cargo xtask demo --help` lists the flags.
    #[command(disable_help_flag = true)]
    Demo {
        /// Arguments of the demo.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },

    /// Sets up all it needs, then runs every check and every test.
    ///
    /// Rings, from the quickest: `unit`, `contract`, `node`, `cluster`, `install`, `gitops`, `scenario`. Name some to
    /// run only those. What follows `--` goes to the test program, so that one test runs alone:
    /// `cargo xtask test cluster -- net_raw`.
    Test {
        /// Rings to run; none named: the checks, then all rings.
        rings: Vec<Ring>,
        /// Run the cluster ring on this release of Kubernetes only, not on the newest and the oldest.
        #[arg(long, value_enum, value_name = "RELEASE")]
        kubernetes: Option<Release>,
        /// Arguments for the test programs.
        #[arg(last = true)]
        arguments: Vec<String>,
    },

    /// Checks what no test runs: dependencies between crates, circles between files, forbidden crates,
    /// licences, generated files, formatting and lints.
    Check,

    /// Writes what is generated: CRDs, and the reference of the command line.
    Gen,

    /// Starts, shows, enters and ends a lab: Kubernetes, Flux and a simulated Azure on this computer.
    ///
    /// `cargo xtask lab --help` lists the commands.
    #[command(disable_help_flag = true)]
    Lab {
        /// Arguments of `podid-lab`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },

    /// Builds container images of podid's programs, and pushes them.
    ///
    /// `cargo xtask image --help` lists the flags.
    #[command(disable_help_flag = true)]
    Image {
        /// Arguments of `podid-image`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },

    /// Measures speed, as ratios in one run.
    Bench {
        /// What to measure.
        what: Benchmark,
        /// Arguments for the benchmark.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Demo { arguments } => programs::run("podid-demo", &arguments),
            Command::Test {
                rings,
                kubernetes,
                arguments,
            } => test::run(&rings, kubernetes, &arguments),
            Command::Check => check::run(),
            Command::Gen => programs::run("podid-generate", &[]),
            Command::Lab { arguments } => programs::run("podid-lab", &arguments),
            Command::Image { arguments } => programs::run("podid-image", &arguments),
            Command::Bench { what, arguments } => programs::bench(what, &arguments),
        }
    }
}
