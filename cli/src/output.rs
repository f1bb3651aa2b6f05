//! Output for people and for programs.

use std::error::Error;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

/// Form of a command's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; coloured on a terminal
    #[default]
    Text,
    /// For programs
    Json,
    /// For programs
    Yaml,
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();

/// A word in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes `value` for a program.
pub(crate) fn structured(
    value: &impl Serialize,
    yaml: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if yaml {
        let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
        write!(out, "{text}")
    } else {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    }
}

/// An error and its causes: the first on the line, one line for each cause.
pub(crate) fn error(error: &(dyn Error + 'static), err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "{} {error}", paint(BAD, "error:"))?;
    let mut next = error.source();
    while let Some(cause) = next {
        writeln!(err, "  {} {cause}", paint(DIM, "because"))?;
        next = cause.source();
    }
    Ok(())
}
