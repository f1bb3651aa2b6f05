//! The operator's process: flags in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use podid_operator::args::{Args, Command};
use podid_operator::{app, uninstall};
use podid_runtime::process;

fn main() -> ExitCode {
    let mut args = Args::parse();
    match args.command.take() {
        None => process::run(app::run(args)),
        Some(Command::Uninstall(args)) => process::run(app::run_uninstall(*args)),
        Some(Command::CheckUninstall(args)) => process::run(uninstall::check(args)),
    }
}
