//! A plan in words, or for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::assess::ProfilePlan;
use crate::exit::Exit;
use crate::output::{BAD, DIM, GOOD, NOTE, paint};

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct PlanReport {
    pub(super) profiles: Vec<ProfilePlan>,
    /// Objects in the file that are not planned.
    pub(super) ignored: Vec<String>,
}

impl PlanReport {
    /// The worst of all profiles.
    pub(super) fn exit(&self) -> Exit {
        if self.profiles.iter().any(ProfilePlan::is_refused) {
            Exit::Violations
        } else if self.profiles.iter().any(ProfilePlan::has_changes) {
            Exit::Changes
        } else {
            Exit::Done
        }
    }

    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (index, plan) in self.profiles.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            plan.text(out)?;
        }
        if self.profiles.is_empty() {
            writeln!(out, "{} the file holds no profile", paint(NOTE, "note"))?;
        }
        for object in &self.ignored {
            writeln!(out, "{} {object} is not planned", paint(NOTE, "note"))?;
        }
        Ok(())
    }
}

impl ProfilePlan {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = format!("{}/{}", self.namespace, self.profile);
        writeln!(out, "Profile {}, class {}", paint(GOOD, &name), self.class)?;
        for assumption in &self.assumptions {
            writeln!(
                out,
                "  {}",
                paint(DIM, &format!("assuming that {assumption}"))
            )?;
        }
        if self.is_refused() {
            self.obstacles(out)?;
        } else {
            self.steps(out)?;
        }
        for note in &self.notes {
            writeln!(out, "  {} {note}", paint(NOTE, "note"))?;
        }
        Ok(())
    }

    fn steps(&self, out: &mut dyn Write) -> io::Result<()> {
        for (index, change) in self.changes.iter().enumerate() {
            writeln!(out, "  {:>2}. {change}", index + 1)?;
        }
        if let Some(reason) = self.not_applied {
            writeln!(out, "  {} {}", paint(NOTE, "note"), reason.explain())?;
        }
        match self.changes.len() {
            0 => writeln!(out, "  nothing to do"),
            1 => writeln!(out, "  1 change"),
            count => writeln!(out, "  {count} changes"),
        }
    }

    fn obstacles(&self, out: &mut dyn Write) -> io::Result<()> {
        let word = paint(BAD, "refused");
        for violation in &self.class_violations {
            writeln!(out, "  {word} class {}: {violation}", self.class)?;
        }
        for violation in &self.violations {
            writeln!(out, "  {word} {violation}")?;
        }
        for refusal in &self.refusals {
            writeln!(out, "  {word} {refusal}")?;
        }
        writeln!(out, "  the profile would be Stalled, and Azure left alone")
    }
}
