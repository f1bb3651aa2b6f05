//! The node daemon: brings every pod's call for the instance metadata service here and answers it
//! with the pod's own identity.

use std::process::ExitCode;

use clap::Parser;
use podid_nmi::args::{Args, Command};
use podid_nmi::{app, boot_unit, close, probe, status, uninstall};
use podid_runtime::process;

fn main() -> ExitCode {
    match Args::parse_from(Args::with_default(std::env::args_os())).command {
        Command::Run(args) => process::run(app::run(*args)),
        Command::Probe(args) => process::run(probe::run(args)),
        Command::Status(args) => process::run(status::command::run(args)),
        Command::Close(args) => process::run(close::run(args)),
        Command::BootUnit(args) => process::run(boot_unit::run(args)),
        Command::Uninstall(args) => process::run(uninstall::run(args)),
    }
}
