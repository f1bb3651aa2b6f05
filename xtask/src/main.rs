//! `cargo xtask …`: everything a developer or CI does to this repository, as one command.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod cargo;
mod check;
mod process;
mod programs;
mod test;
mod ui;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match args::Args::parse().run() {
        Ok(code) => code,
        Err(error) => {
            ui::failure(&error);
            ExitCode::FAILURE
        }
    }
}
