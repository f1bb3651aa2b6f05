//! What each ring needs, and how it is run.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Ring;
use super::count::Count;
use crate::{cargo, lab, process, python, ui};

/// Sets a ring up and runs it.
pub(super) fn run(ring: Ring, arguments: &[String]) -> Result<Count> {
    match ring {
        Ring::Unit => tests(
            &[
                "--workspace",
                "--exclude",
                "podid-tests",
                "--exclude",
                "podid-lab",
            ],
            &Setup::default(),
            arguments,
        )
        .and_then(|mut count| {
            count += tests(
                &["--package", "podid-lab", "--lib"],
                &Setup::default(),
                arguments,
            )?;
            Ok(count)
        }),
        Ring::Contract => {
            let setup = Setup::default().with_python()?;
            tests(
                &["--package", "podid-tests", "--test", "contract"],
                &setup,
                arguments,
            )
        }
        Ring::Node => {
            let setup = Setup::default().with_lab("node")?;
            let mut count = tests(
                &["--package", "podid-lab", "--test", "*"],
                &setup,
                arguments,
            )?;
            count += tests(
                &["--package", "podid-tests", "--test", "node"],
                &setup,
                arguments,
            )?;
            Ok(count)
        }
        Ring::Cluster => {
            let setup = Setup::default().with_lab("cluster")?.with_python()?;
            tests(
                &["--package", "podid-tests", "--test", "cluster"],
                &setup,
                arguments,
            )
        }
        Ring::Scenario => {
            let setup = Setup::default().with_lab("scenario")?.with_python()?;
            tests(
                &["--package", "podid-tests", "--test", "scenario"],
                &setup,
                arguments,
            )
        }
    }
}

/// What the test programs are told of what was set up for them.
#[derive(Debug, Default)]
struct Setup {
    environment: Vec<(&'static str, String)>,
}

impl Setup {
    fn with_python(mut self) -> Result<Self> {
        let python = python::interpreter()?;
        self.environment
            .push(("PODID_TEST_PYTHON", python.display().to_string()));
        Ok(self)
    }

    /// The lab's programs and tools, and the rights to use them.
    fn with_lab(mut self, ring: &str) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "the {ring} ring makes network namespaces and needs root: \
                 run `sudo -E env PATH=\"$PATH\" cargo xtask test {ring}`"
            );
        }
        let programs = lab::programs()?;
        ui::step("Preparing Kubernetes, Flux, Helm and kustomize");
        process::run(Command::new(programs.join("podid-lab")).arg("tools"))?;
        self.environment
            .push(("PODID_TEST_PROGRAMS", programs.display().to_string()));
        Ok(self)
    }
}

/// Runs `cargo test` and counts, while its output is shown as it comes.
fn tests(selection: &[&str], setup: &Setup, arguments: &[String]) -> Result<Count> {
    let mut command = cargo::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(selection)
        .arg("--")
        .args(arguments);
    command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{}`", process::line(&command)))?;
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what the tests say")?;
            println!("{line}");
            count.read(&line);
        }
    }
    if !child.wait()?.success() {
        count.break_off();
    }
    Ok(count)
}
