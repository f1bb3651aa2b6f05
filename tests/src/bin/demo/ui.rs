//! What a person sees: titles, results and failures; colour only on a terminal.

use std::time::Duration;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();

/// Announces a step that may take long.
pub(crate) fn step(text: &str) {
    println!("{BOLD}▶ {text}{BOLD:#}");
}

/// Says what a person should know of this run.
pub(crate) fn note(text: &str) {
    println!("{BOLD}note{BOLD:#}: {text}");
}

/// Says that something was seen to be as it should.
pub(crate) fn good(text: &str, took: Option<Duration>) {
    let took = took
        .map(|took| format!(" {DIM}({}){DIM:#}", seconds(took)))
        .unwrap_or_default();
    println!("  {GREEN}✓{GREEN:#} {text}{took}");
}

/// Says that something was not as it should.
pub(crate) fn bad(text: &str) {
    println!("  {RED}✗{RED:#} {text}");
}

/// Shows a command or a detail beneath a step.
pub(crate) fn detail(text: &str) {
    for line in text.lines() {
        println!("    {DIM}{line}{DIM:#}");
    }
}

/// Shows why the whole command failed: the error, then its causes, a line each.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("{RED}error{RED:#}: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// A duration in seconds, as people read it.
pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
