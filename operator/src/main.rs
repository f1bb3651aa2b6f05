//! The operator's process: flags in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use podid_operator::{app, args::Args};

fn main() -> ExitCode {
    podid_runtime::process::run(app::run(Args::parse()))
}
