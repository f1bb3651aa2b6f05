//! The course of the demo: steps, each with what was done, in which scene, and how long it took.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anstream::println;
use anyhow::{Context, Result};
use serde::Serialize;

use crate::ui;

/// Every step so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    scene: String,
    step: String,
    ok: bool,
    seconds: f64,
}

impl Story {
    /// Opens a scene.
    pub(crate) fn scene(&self, title: &str) {
        println!();
        ui::step(title);
    }

    /// Does one thing and prints the result. `act` returns what was seen, as text.
    pub(crate) fn step(
        &mut self,
        scene: &str,
        step: &str,
        act: impl FnOnce() -> Result<String>,
    ) -> Result<()> {
        let start = Instant::now();
        let result = act();
        let took = start.elapsed();
        match result {
            Ok(seen) => {
                self.went_well(scene, step, took, &seen);
                Ok(())
            }
            Err(error) => {
                self.keep(scene, step, took, false);
                ui::bad(step);
                Err(error.context(format!("the demo did not go as said: {step}")))
            }
        }
    }

    /// Prints what was seen of a step that went well.
    pub(crate) fn went_well(&mut self, scene: &str, step: &str, took: Duration, seen: &str) {
        self.keep(scene, step, took, true);
        ui::good(step, Some(took));
        ui::detail(seen);
    }

    fn keep(&mut self, scene: &str, step: &str, took: Duration, ok: bool) {
        self.steps.push(Step {
            scene: scene.to_owned(),
            step: step.to_owned(),
            ok,
            seconds: took.as_secs_f64(),
        });
    }

    /// Prints how many steps each scene had, and how long they took.
    pub(crate) fn summary(&self) {
        println!();
        ui::step("What you saw");
        let mut scenes: Vec<(&str, Duration, usize)> = Vec::new();
        for step in &self.steps {
            let took = Duration::from_secs_f64(step.seconds);
            match scenes.last_mut() {
                Some((scene, total, count)) if *scene == step.scene => {
                    *total += took;
                    *count += 1;
                }
                _ => scenes.push((&step.scene, took, 1)),
            }
        }
        let width = scenes
            .iter()
            .map(|(scene, ..)| scene.chars().count())
            .max()
            .unwrap_or(0);
        for (scene, took, count) in scenes {
            let pad = " ".repeat(width - scene.chars().count());
            println!("  {scene}{pad}  {count:>2} steps  {:>7}", ui::seconds(took));
        }
        let total = self.steps.iter().map(|step| step.seconds).sum();
        ui::good(
            &format!("all {} steps were as said", self.steps.len()),
            Some(Duration::from_secs_f64(total)),
        );
    }

    /// Writes every step as JSON.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.steps)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}
