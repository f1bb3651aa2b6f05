//! The demo: podid's main job, done before your eyes with the real parts. `cargo xtask demo` builds
//! what it needs and starts it; the scenario ring runs it as a test.
//!
//! Each scene is a module; a scene that does not go as said ends the demo with an error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cluster;
mod command;
mod commit;
mod container;
mod facts;
mod images;
mod keep;
mod nodes;
mod options;
mod pods;
mod refusals;
mod revert;
mod stage;
mod story;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::options::Options;
use self::stage::Stage;
use self::story::Story;

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
    if options.keep {
        keep::leave_up(stage)
    } else {
        Ok(())
    }
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
