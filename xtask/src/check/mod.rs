//! `cargo xtask check`: what no test runs. Every check runs, also after one has failed.

mod circles;
mod compiled_paths;
mod dependencies;
mod forbidden;

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{cargo, process, ui};

/// A check: its title, and what it found wrong, a line each.
type Check = (&'static str, fn() -> Result<Vec<String>>);

const CHECKS: &[Check] = &[
    ("dependencies between crates", dependencies::check),
    ("circles between files", circles::check),
    ("forbidden crates and licences", forbidden::check),
    ("paths of this clone in programs", compiled_paths::check),
    ("formatting", formatting),
    ("lints", lints),
    ("generated files", generated),
];

/// Runs every check and says what each found.
pub(crate) fn run() -> Result<ExitCode> {
    let mut failed = 0;
    for (title, check) in CHECKS {
        ui::step(&format!("Check: {title}"));
        let found = check()?;
        if found.is_empty() {
            ui::good(title, None);
            continue;
        }
        failed += 1;
        for line in found {
            ui::bad(&line);
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn formatting() -> Result<Vec<String>> {
    let clean = cargo::cargo()
        .args(["fmt", "--all", "--check"])
        .status()?
        .success();
    Ok(complaint(clean, "run `cargo fmt --all`"))
}

fn lints() -> Result<Vec<String>> {
    let mut clippy = cargo::cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    let clean = clippy.status()?.success();
    Ok(complaint(
        clean,
        &format!("mend what `{}` says", process::line(&clippy)),
    ))
}

fn generated() -> Result<Vec<String>> {
    let program = cargo::build()?.join("podid-generate");
    let current = Command::new(program).arg("--check").status()?.success();
    Ok(complaint(current, "run `cargo xtask gen`"))
}

fn complaint(clean: bool, what: &str) -> Vec<String> {
    if clean {
        Vec::new()
    } else {
        vec![what.to_owned()]
    }
}
