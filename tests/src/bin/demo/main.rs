//! The demo: podid's main job, done before your eyes with the real parts. `cargo xtask demo` builds
//! what it needs and starts it; the scenario ring runs it as a test.
//!
//! Each scene is a module; a scene that does not go as said ends the demo with an error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cluster;
mod command;
mod commit;
mod facts;
mod pods;
mod refusals;
mod revert;
mod stage;
mod story;
mod ui;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::stage::Stage;
use self::story::Story;

/// Does podid's main job before your eyes.
///
/// A git commit becomes a token in a pod: real Kubernetes and Flux, a simulated Azure, real Azure
/// SDKs. Needs Linux and root, because nodes and pods are network namespaces.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask demo",
    bin_name = "cargo xtask demo",
    max_term_width = 100
)]
struct Options {
    /// Stop before the commit is reverted, and leave the lab up with the profile, its identity and
    /// its pods, to look around.
    #[arg(long)]
    keep: bool,
    /// Name of the lab.
    #[arg(long, default_value = "demo", value_name = "NAME")]
    name: String,
    /// How pods are linked to their node.
    #[arg(long, default_value = "bridge", value_name = "bridge|routed")]
    network: podid_lab::Network,
    /// Write what was done, how long it took and whether it was as said, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo; well only if every step was as said.
fn run(options: &Options) -> Result<()> {
    let mut story = Story::default();
    let result = tell(options, &mut story);
    if let Some(file) = &options.report {
        story.write(file)?;
    }
    let stage = result?;
    story.summary();
    if options.keep { stage.keep() } else { Ok(()) }
}

fn tell(options: &Options, story: &mut Story) -> Result<Stage> {
    let stage = Stage::build(options, story)?;
    let told = scenes(&stage, story, options.keep);
    if told.is_err() {
        stage.show_logs();
    }
    told.map(|()| stage)
}

fn scenes(stage: &Stage, story: &mut Story, keep: bool) -> Result<()> {
    cluster::install(stage, story)?;
    commit::profile(stage, story)?;
    pods::use_identity(stage, story)?;
    refusals::stay_closed(stage, story)?;
    if keep {
        return Ok(());
    }
    revert::take_back(stage, story)
}
