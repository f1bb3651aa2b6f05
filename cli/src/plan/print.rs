//! A plan in words.

use std::io::{self, Write};

use super::profile_plan::{Change, PlacedViolation, ProfilePlan, RightReport};
use super::report::PlanReport;
use super::words::plural;
use crate::output::{BAD, DIM, GOOD, NOTE, paint};

impl PlanReport {
    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (changed, others) = self.changed();
        for (index, plan) in changed.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            plan.text(out)?;
        }
        if others > 0 {
            let profiles = plural(others, "profile");
            writeln!(out, "{others} {profiles} as before")?;
        }
        if self.profiles.is_empty() {
            writeln!(out, "{} there is no profile", paint(NOTE, "note"))?;
        }
        for (subscription, writes) in &self.azure {
            writeln!(out, "Azure subscription {subscription}: {}", writes.words())?;
        }
        for sentence in self.ignored_words() {
            writeln!(out, "{} {sentence}", paint(NOTE, "note"))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note"))?;
        }
        Ok(())
    }
}

impl ProfilePlan {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let place = self.place.as_ref();
        let place = place.map(|place| format!(", {place}")).unwrap_or_default();
        let deleted = match self.change {
            Change::Deleted => ", deleted",
            Change::Added | Change::Changed | Change::Unchanged => "",
        };
        let name = paint(GOOD, &self.name());
        writeln!(out, "Profile {name}, class {}{place}{deleted}", self.class)?;
        for assumption in &self.assumptions {
            let assuming = format!("assuming that {assumption}");
            writeln!(out, "  {}", paint(DIM, &assuming))?;
        }
        if let Some(recorded) = self.recorded() {
            writeln!(
                out,
                "  {}",
                paint(DIM, &format!("the cluster has {recorded}"))
            )?;
        }
        if self.is_refused() {
            self.obstacles(out)?;
        } else {
            self.meaning(out)?;
            self.steps(out)?;
        }
        for note in self.remarks() {
            writeln!(out, "  {} {note}", paint(NOTE, "note"))?;
        }
        Ok(())
    }

    /// Who gains and loses what.
    fn meaning(&self, out: &mut dyn Write) -> io::Result<()> {
        for sentence in self.sentences() {
            writeln!(out, "  {sentence}")?;
        }
        Ok(())
    }

    /// Which rights it loses, one sentence each.
    pub(super) fn losses(&self) -> Vec<String> {
        self.told("loses", &self.rights.lost)
    }

    fn told(&self, verb: &str, rights: &[RightReport]) -> Vec<String> {
        let who = format!("{}/{}", self.namespace, self.profile);
        let words = rights.iter().map(|right| &right.words);
        words.map(|words| format!("{who} {verb} {words}")).collect()
    }

    /// Who gains and loses what, one sentence each.
    pub(super) fn sentences(&self) -> Vec<String> {
        let gained = self.told("gains", &self.rights.gained).into_iter();
        let rights = gained.chain(self.losses());
        let use_it = |pods: String, verb: &str| format!("{pods} {verb} its identity");
        let pods = match (&self.pods_before, self.change) {
            (Some(before), Change::Deleted) => vec![use_it(before.words(), "lose")],
            (Some(before), _) => {
                let lost = before.without(&self.pods).map(|lost| use_it(lost, "lose"));
                let now = use_it(self.pods.words(), "use");
                lost.into_iter().chain([now]).collect()
            }
            (None, _) => vec![use_it(self.pods.words(), "use")],
        };
        rights.chain(pods).collect()
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
        for line in self.refused() {
            writeln!(out, "  {word} {line}")?;
        }
        writeln!(out, "  {}", self.fate())?;
        for sentence in self.losses() {
            writeln!(out, "  {sentence}")?;
        }
        match self.changes.is_empty() {
            true => Ok(()),
            false => self.steps(out),
        }
    }

    /// Why nothing is done, one line each.
    pub(super) fn refused(&self) -> Vec<String> {
        let class = self.class_violations.iter();
        let class = class.map(|violation| format!("class {}: {}", self.class, violation.words()));
        let own = self.violations.iter().map(PlacedViolation::words);
        let refusals = self.refusals.iter().map(ToString::to_string);
        class.chain(own).chain(refusals).collect()
    }
}

impl PlacedViolation {
    fn words(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({place})", self.violation),
            None => self.violation.to_string(),
        }
    }
}
