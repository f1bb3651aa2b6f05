//! The `podid-lab` program; see [`podid_lab`] for what it does.

mod args;
mod commands;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(args::Args::typed().command) {
        Ok(code) => code,
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}
