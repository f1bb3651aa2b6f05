//! A plan as a comment of a pull request.

use std::io::{self, Write};

use super::error::PlanError;
use super::profile_plan::{Change, ProfilePlan};
use super::report::PlanReport;
use super::words::plural;
use crate::output;

/// Most bytes of all profiles together. GitHub takes comments of 65,536 characters, and refuses longer ones.
const ROOM: usize = 60_000;

/// Most notes, and most characters of each.
const NOTES: usize = 8;
const NOTE_CHARACTERS: usize = 500;

const TITLE: &str = "### podid plan\n";

/// That there is no plan, and why.
pub(super) fn failed(error: &PlanError, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{TITLE}\n**There is no plan.**\n")?;
    let said = output::sentence(error);
    let mut lines = said.lines().map(escaped);
    let mut room = ROOM;
    let shown = lines.by_ref().take_while(|line| {
        room = room.saturating_sub(line.len());
        room > 0
    });
    // Two spaces keep the lines of an error apart.
    let shown: Vec<String> = shown.map(|line| format!("{line}  ")).collect();
    writeln!(out, "{}", shown.join("\n"))?;
    match lines.next() {
        Some(_) => writeln!(out, "\n**There is more**: read the output of `podid plan`."),
        None => Ok(()),
    }
}

impl PlanReport {
    pub(super) fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let (changed, others) = self.changed();
        writeln!(out, "{TITLE}")?;
        if changed.is_empty() {
            writeln!(out, "No profile changes.\n")?;
        }
        write_within(ROOM, changed, out)?;
        for (subscription, writes) in &self.azure {
            writeln!(
                out,
                "Azure subscription `{subscription}`: {}.\n",
                writes.words()
            )?;
        }
        if others > 0 {
            writeln!(out, "{others} {} as before.\n", plural(others, "profile"))?;
        }
        let notes: Vec<String> = self
            .ignored_words()
            .into_iter()
            .chain(self.notes.iter().cloned())
            .collect();
        for note in notes.iter().take(NOTES) {
            let note: String = note.chars().take(NOTE_CHARACTERS).collect();
            writeln!(out, "- {}", escaped(&note))?;
        }
        match notes.len().saturating_sub(NOTES) {
            0 => Ok(()),
            more => writeln!(out, "- {more} more notes are in the output of `podid plan`"),
        }
    }
}

/// Writes as many profiles as have room, those that are refused or gain rights first, and says how many have none.
fn write_within(room: usize, mut plans: Vec<&ProfilePlan>, out: &mut dyn Write) -> io::Result<()> {
    plans.sort_by_key(|plan| (!plan.is_refused(), plan.rights.gained.is_empty()));
    let mut text = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let before = text.len();
        plan.markdown(&mut text)?;
        if text.len() > room {
            text.truncate(before);
            let left = u32::try_from(plans.len() - index).unwrap_or(u32::MAX);
            writeln!(
                out,
                "**{left} {} for which a comment has no room**: read the output of `podid plan` \
                 before you merge.\n",
                plural(left, "more profile")
            )?;
            break;
        }
    }
    out.write_all(&text)
}

impl ProfilePlan {
    fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let verb = match self.change {
            Change::Added => "added",
            Change::Changed => "changed",
            Change::Unchanged => "as before",
            Change::Deleted => "deleted",
        };
        let place = self.place.as_ref();
        let place = place
            .map(|place| format!(" ({})", escaped(&place.to_string())))
            .unwrap_or_default();
        let name = escaped(&self.name());
        writeln!(out, "#### {name}, {verb}{place}\n")?;
        if self.is_refused() {
            writeln!(out, "**Refused**: {}.\n", self.fate())?;
            list(out, self.refused().into_iter().chain(self.losses()))?;
        } else {
            list(out, self.sentences())?;
        }
        list(
            out,
            self.not_applied.map(|reason| reason.explain().to_owned()),
        )?;
        list(out, self.remarks())?;
        writeln!(out)?;
        self.details(out)
    }

    fn details(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let count = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        let changes = plural(count, "change");
        writeln!(out, "<details><summary>{count} {changes}</summary>\n")?;
        for (index, change) in self.changes.iter().enumerate() {
            writeln!(out, "{}. {}", index + 1, escaped(change))?;
        }
        writeln!(out)?;
        let recorded = self.recorded();
        list(out, recorded.map(|it| format!("the cluster has {it}")))?;
        list(
            out,
            self.assumptions
                .iter()
                .map(|it| format!("assuming that {it}")),
        )?;
        writeln!(out, "\n</details>\n")
    }
}

fn list(out: &mut dyn Write, items: impl IntoIterator<Item = String>) -> io::Result<()> {
    for item in items {
        writeln!(out, "- {}", escaped(&item))?;
    }
    Ok(())
}

/// Text that Markdown and HTML leave as it is: names come from files that anybody may propose.
fn escaped(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '@' => new.extend(['\\', c]),
            '<' => new.push_str("&lt;"),
            '>' => new.push_str("&gt;"),
            '&' => new.push_str("&amp;"),
            c if c.is_control() || is_invisible(c) => new.push(' '),
            c => new.push(c),
        }
    }
    new
}

/// Whether a character only changes how others are shown, such as their direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
