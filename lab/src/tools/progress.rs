//! Showing people that a build goes on: a spinner on a terminal, plain lines
//! elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Pause between lines about a running build in a plain log: well below the
/// silence after which CI systems end a job.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Writes one line to standard error.
pub(super) fn note(line: &str) {
    // Standard error that is closed is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// All builds of one run.
pub(super) struct Progress {
    total: usize,
    started: Cell<usize>,
}

/// One build.
pub(super) struct Job {
    what: String,
    began: Instant,
    packages: Cell<usize>,
    spoke: Cell<Instant>,
    spinner: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            started: Cell::new(0),
        }
    }

    pub(super) fn start(&self, what: &str) -> Job {
        self.started.set(self.started.get() + 1);
        let title = format!("building {what} ({} of {})", self.started.get(), self.total);
        let spinner = std::io::stderr().is_terminal().then(|| spinner(&title));
        if spinner.is_none() {
            note(&title);
        }
        let now = Instant::now();
        Job {
            what: what.to_owned(),
            began: now,
            packages: Cell::new(0),
            spoke: Cell::new(now),
            spinner,
        }
    }
}

fn spinner(title: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(title.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

impl Job {
    /// Go compiles `name` now.
    pub(super) fn package(&self, name: &str) {
        self.packages.set(self.packages.get() + 1);
        match &self.spinner {
            Some(bar) => bar.set_message(format!("{} packages, {name}", self.packages.get())),
            None if self.spoke.get().elapsed() >= HEARTBEAT => {
                self.spoke.set(Instant::now());
                let seconds = self.began.elapsed().as_secs();
                note(&format!(
                    "  {} packages after {seconds} s",
                    self.packages.get()
                ));
            }
            None => {}
        }
    }

    /// It is built.
    pub(super) fn done(&self) {
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
        let seconds = self.began.elapsed().as_secs();
        note(&format!("built {} in {seconds} s", self.what));
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
    }
}
