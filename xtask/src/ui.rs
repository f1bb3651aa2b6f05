//! Output for people: titles, results and failures; colour only on a terminal.

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

/// Reports that a check has passed.
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

/// Says what is good to know.
pub(crate) fn remark(text: &str) {
    println!("  {text}");
}

/// Shows why the whole command failed: the error, then its causes, a line each.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("{RED}error{RED:#}: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// A duration in seconds, as people read it.
fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
