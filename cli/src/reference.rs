//! The reference page of the command line, generated from the same definitions as `--help`.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use crate::args::Cli;

const INTRODUCTION: &str = "\
<!-- Generated from cli/src by `cargo xtask gen`. Do not edit. -->
# Command line

The same program answers to `kubectl podid` when it is on the path as `kubectl-podid`.

Exit codes: 0 done, 1 failed or refused. `podid plan` also has 2 for changes and 3 for a profile
that its class does not allow.
";

/// The page `docs/reference/cli.md`.
#[must_use]
pub fn cli_reference() -> String {
    format!("{INTRODUCTION}{}", command_reference(Cli::command()))
}

/// A section for a command and for each of its own, with the text of its `--help`. The values that
/// variables have in the environment are left out.
#[must_use]
pub fn command_reference(command: Command) -> String {
    let mut page = String::new();
    let mut root = without_values(command).term_width(96);
    root.build();
    section(&mut root, &mut page);
    page
}

fn without_values(command: Command) -> Command {
    let command = command.mut_args(|arg| arg.hide_env_values(true));
    command.mut_subcommands(without_values)
}

fn section(command: &mut Command, page: &mut String) {
    if command.get_name() == "help" {
        return;
    }
    let title = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    // Writing to a String cannot fail.
    let _infallible = write!(page, "\n## {title}\n\n```text\n{}\n```\n", text.trim());
    for command in command.get_subcommands_mut() {
        section(command, page);
    }
}
