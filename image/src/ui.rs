//! Output for people: titles, results and failures; colour only on a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();

/// Announces a step that may take long.
pub(crate) fn step(text: &str) {
    println!("{BOLD}▶ {text}{BOLD:#}");
}

/// Reports what has been done.
pub(crate) fn good(text: &str) {
    println!("  {GREEN}✓{GREEN:#} {text}");
}

/// Shows why the command failed: the error and its causes, on one line.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("{RED}error{RED:#}: {error:#}");
}
