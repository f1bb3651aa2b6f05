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

/// A unified diff, coloured.
pub(crate) fn diff(text: &str, out: &mut dyn Write) -> io::Result<()> {
    for line in text.lines() {
        let style = match line.bytes().next() {
            Some(b'+') => GOOD,
            Some(b'-') => BAD,
            _ => DIM,
        };
        writeln!(out, "{}", paint(style, line))?;
    }
    Ok(())
}

/// Writes `value` in a form; `text` writes it for people.
pub(crate) fn formatted<T: Serialize>(
    value: &T,
    format: Format,
    out: &mut dyn Write,
    text: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match format {
        Format::Text => text(value, out),
        Format::Json => structured(value, false, out),
        Format::Yaml => structured(value, true, out),
    }
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

/// Text that gives no command to the pipeline whose log it is in: what podid prints may come from files that anybody
/// may propose. Azure Pipelines takes `##vso[` and `##[` for commands anywhere in a line, GitHub Actions `##[` too,
/// and `::` where nothing but spaces is before it.
pub(crate) fn for_logs(text: &str) -> String {
    let lines = text.split_inclusive(['\n', '\r']).map(|line| {
        let line = line.replace("##", "# #");
        let start = line.len() - line.trim_start().len();
        match line[start..].starts_with("::") {
            true => format!("{}: {}", &line[..start], &line[start + 1..]),
            false => line,
        }
    });
    lines.collect()
}

/// An error and its causes on one line.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", sentence(cause)),
        None => error.to_string(),
    }
}

/// An error and its causes: the first on the line, one line for each cause.
pub(crate) fn error(error: &(dyn Error + 'static), err: &mut dyn Write) -> io::Result<()> {
    writeln!(
        err,
        "{} {}",
        paint(BAD, "error:"),
        for_logs(&error.to_string())
    )?;
    let mut next = error.source();
    while let Some(cause) = next {
        let said = for_logs(&cause.to_string());
        writeln!(err, "  {} {said}", paint(DIM, "because"))?;
        next = cause.source();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_holds_no_command() {
        for (text, shown) in [
            ("a ##vso[task.x]b", "a # #vso[task.x]b"),
            ("##[group]x", "# #[group]x"),
            ("::set-output::x", ": :set-output::x"),
            ("a\n \t::add-mask::x\n", "a\n \t: :add-mask::x\n"),
            ("a\r::x", "a\r: :x"),
            ("a::b\n# c", "a::b\n# c"),
            ("####[x", "# ## #[x"),
            ("", ""),
        ] {
            assert_eq!(for_logs(text), shown, "{text:?}");
        }
    }
}
