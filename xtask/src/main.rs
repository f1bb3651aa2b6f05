//! `cargo xtask …`: everything a developer or CI does to this repository, as one command.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod cargo;
mod check;
mod clone;
mod process;
mod programs;
mod test;
mod ui;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = args::Args::parse();
    match clone::enter().and_then(|()| arguments.run()) {
        Ok(code) => code,
        Err(error) => {
            ui::failure(&error);
            ExitCode::FAILURE
        }
    }
}
