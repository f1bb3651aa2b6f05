//! What the program prints for people.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use podid_lab::LabError;
use podid_lab::events::{Event, chain};

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();

/// Writes to standard output. A reader that went away is no failure.
pub(crate) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Writes to standard error.
pub(crate) fn remark(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints what failed, with the last lines of its log.
pub(crate) fn complain(error: &anyhow::Error) {
    let reason: &(dyn std::error::Error + 'static) = error.as_ref();
    remark(format_args!("{BAD}error{BAD:#}: {}", chain(reason)));
    if let Some(LabError::Start { log, .. }) = error.downcast_ref() {
        for line in log {
            remark(format_args!("  | {line}"));
        }
    }
}

/// Shows the steps of a starting lab.
pub(crate) struct Steps {
    bars: Option<MultiProgress>,
    open: Vec<(String, ProgressBar)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
            open: Vec::new(),
        }
    }

    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Waiting { part } => self.wait(part),
            Event::Ready { part, took } => self.ready(part, *took),
            Event::Up | Event::Failed { .. } => self.clear(),
        }
    }

    fn wait(&mut self, part: &str) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.set_message(format!("waiting for {part}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.open.push((part.to_owned(), bar));
    }

    fn ready(&mut self, part: &str, took: Duration) {
        if let Some(position) = self.open.iter().position(|(open, _)| open == part) {
            self.open.swap_remove(position).1.finish_and_clear();
        }
        let line = format!(
            "{GOOD}ready{GOOD:#}  {part:<26} {:>5.1} s",
            took.as_secs_f64()
        );
        match &self.bars {
            Some(bars) => bars.suspend(|| remark(line)),
            None => remark(line),
        }
    }

    fn clear(&mut self) {
        for (_, bar) in self.open.drain(..) {
            bar.finish_and_clear();
        }
    }
}
