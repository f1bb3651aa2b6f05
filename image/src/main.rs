//! `podid-image`: what `cargo xtask image` builds and starts.

use std::process::ExitCode;

use clap::Parser;
use podid_image::args::Args;

fn main() -> ExitCode {
    podid_image::run(Args::parse())
}
