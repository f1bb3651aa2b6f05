//! Commands of the lab in messages, written so that the reader can type them
//! as they are.

use std::env;
use std::path::Path;

/// Variable in which a program that runs `podid-lab` for a person, as
/// `cargo xtask lab` does, says what the person types.
pub const VARIABLE: &str = "PODID_LAB_COMMAND";

/// Name of the program.
pub const NAME: &str = "podid-lab";

/// What the person types in place of [`NAME`], if that is set.
pub fn command() -> Option<String> {
    env::var(VARIABLE).ok().filter(|said| !said.is_empty())
}

/// The command with `arguments`.
pub fn typed(arguments: &str) -> String {
    format!("{} {arguments}", command().unwrap_or_else(own))
}

/// The command with `arguments` for the lab called `name`.
pub fn for_lab(arguments: &str, name: &str) -> String {
    typed(&format!("{arguments} --name {name}"))
}

/// The command with `arguments` for the lab kept in `dir`.
pub(crate) fn for_dir(arguments: &str, dir: Option<&Path>) -> String {
    let name = dir.and_then(Path::file_name).unwrap_or_default();
    for_lab(arguments, &name.to_string_lossy())
}

/// The program's name where a shell finds it by that, else its whole path.
fn own() -> String {
    let Ok(program) = crate::executable::find() else {
        return NAME.to_owned();
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let first = env::split_paths(&path)
        .map(|folder| folder.join(NAME))
        .find(|candidate| candidate.is_file());
    match first.and_then(|found| found.canonicalize().ok()) {
        Some(found) if program.canonicalize().is_ok_and(|own| own == found) => NAME.to_owned(),
        _ => program.display().to_string(),
    }
}
