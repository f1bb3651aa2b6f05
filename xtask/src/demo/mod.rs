//! `cargo xtask demo`: podid's main job, done before your eyes with the real parts.
//!
//! Each scene is a module; a scene that does not go as said ends the demo with an error.

mod cluster;
mod commit;
mod facts;
mod pods;
mod refusals;
mod revert;
mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use self::stage::Stage;
use self::story::Story;

/// How the demo is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave the lab up afterwards, to look around.
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

/// Runs the demo: exit code 0 only if every step was as said.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut story = Story::new();
    let result = tell(options, &mut story);
    if let Some(file) = &options.report {
        story.write(file)?;
    }
    let stage = result?;
    story.summary();
    if options.keep {
        stage.keep()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(options: &Options, story: &mut Story) -> Result<Stage> {
    let stage = Stage::build(options, story)?;
    let told = scenes(&stage, story);
    if told.is_err() {
        stage.show_logs();
    }
    told.map(|()| stage)
}

fn scenes(stage: &Stage, story: &mut Story) -> Result<()> {
    cluster::install(stage, story)?;
    commit::profile(stage, story)?;
    pods::use_identity(stage, story)?;
    refusals::stay_closed(stage, story)?;
    revert::take_back(stage, story)
}
