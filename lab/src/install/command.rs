//! Running the tools of a user.

use std::process::{Command, Stdio};

use super::error::InstallError;

/// Runs a command to its end; an error if it does not end well.
pub(super) fn run(command: &mut Command) -> Result<(), InstallError> {
    run_with(command, Stdio::null())
}

/// Runs a command to its end with this standard input; an error if it does not end well.
pub(super) fn run_with(command: &mut Command, stdin: Stdio) -> Result<(), InstallError> {
    said(command, stdin).map(drop)
}

/// What a command prints that ends well.
pub(super) fn said(command: &mut Command, stdin: Stdio) -> Result<String, InstallError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(stdin)
        .output()
        .map_err(|source| InstallError::Run(program.clone(), source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = command.get_args().map(|word| word.to_string_lossy());
    Err(InstallError::Failed {
        command: std::iter::once(program.into())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
