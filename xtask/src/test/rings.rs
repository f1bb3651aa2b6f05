//! What each ring needs, and how it is run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::TargetKind;

use super::count::Count;
use super::ring::Ring;
use crate::{cargo, process, ui};

/// Packages whose test programs are rings of their own.
const LAB: &str = "podid-lab";
const TESTS: &str = "podid-tests";

/// What a lab without Flux runs, as `podid-lab tools` calls it.
const CONTROL_PLANE: &[&str] = &["kubernetes", "etcd"];
/// The same of one whose nodes run containers.
const CONTAINERS: &[&str] = &[
    "kubernetes",
    "etcd",
    "kubelet",
    "containerd",
    "cni-plugins",
    "runc",
    "pause",
];
/// What the tests of Flux and Helm run beside that.
const GITOPS: &[&str] = &[
    "kustomize-controller",
    "helm-controller",
    "helm",
    "kustomize",
    "kstatus",
];
/// The test program for those of the lab that runs containers.
const CONTAINER_TESTS: &str = "containers";

/// Sets a ring up and runs it.
pub(super) fn run(ring: Ring, arguments: &[String]) -> Result<Count> {
    match ring {
        Ring::Unit => {
            let mut targets = vec!["--lib".to_owned(), "--bins".to_owned()];
            targets.extend(programs(|package| package != LAB && package != TESTS)?);
            tests(&targets, &Setup::default(), arguments)
        }
        Ring::Contract => tests(
            &[named("contract"), named("manifests")],
            &Setup::default(),
            arguments,
        ),
        Ring::Node => {
            let setup = Setup::lab("node", &[])?;
            let mut targets = programs(|package| package == LAB)?;
            targets.retain(|target| *target != named(CONTAINER_TESTS));
            targets.push(named("node"));
            tests(&targets, &setup, arguments)
        }
        Ring::Cluster => tests(
            &[named("cluster")],
            &Setup::lab("cluster", CONTROL_PLANE)?,
            arguments,
        ),
        Ring::Install => tests(
            &[named(CONTAINER_TESTS), named("install")],
            &Setup::lab("install", &[CONTAINERS, &["registry"]].concat())?.images()?,
            arguments,
        ),
        Ring::Gitops => tests(
            &[named("gitops")],
            &Setup::lab("gitops", &[CONTAINERS, GITOPS].concat())?.images()?,
            arguments,
        ),
        Ring::Scenario => {
            // The demo would build them without a word.
            let demo = [CONTAINERS, &["kustomize-controller"]].concat();
            let setup = Setup::lab("scenario", &demo)?.images()?;
            tools(&cargo::build()?, &[])?;
            tests(&[named("scenario")], &setup, arguments)
        }
    }
}

/// The flag that selects a test program.
fn named(program: &str) -> String {
    format!("--test={program}")
}

/// The flags that select the test programs of some packages. The whole workspace is built each
/// time, so that cargo chooses the same features and builds each dependency once; hence test
/// programs are told apart by name, and two of one name would both run.
fn programs(of: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let metadata = cargo::metadata()?;
    let packages = metadata.workspace_packages();
    let targets = packages.iter().flat_map(|package| {
        let tests = package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&TargetKind::Test));
        tests.map(|target| (package.name.as_str(), target.name.clone()))
    });
    Ok(targets
        .filter(|(package, _)| of(package))
        .map(|(_, name)| named(&name))
        .collect())
}

/// Environment of the test programs: where that is which was set up for them.
#[derive(Debug, Default)]
struct Setup {
    environment: Vec<(&'static str, String)>,
}

impl Setup {
    /// The lab's own programs, those of `groups`, and the rights to use them. No group named:
    /// all that a lab runs by itself.
    fn lab(ring: &str, groups: &[&str]) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "the {ring} ring makes network namespaces and needs root: \
                 run `sudo -E env PATH=\"$PATH\" cargo xtask test {ring}`"
            );
        }
        let folder = cargo::build()?;
        ui::step("Preparing the programs of the lab");
        tools(&folder, groups)?;
        Ok(Self {
            environment: vec![("PODID_TEST_PROGRAMS", folder.display().to_string())],
        })
    }

    /// All that, and container images.
    fn images(mut self) -> Result<Self> {
        let folder = cargo::build()?;
        let images = folder.with_file_name("images-under-test");
        let mut program = Command::new(folder.join("podid-image"));
        process::run(program.arg("--output").arg(&images))?;
        let images = images.display().to_string();
        self.environment.push(("PODID_TEST_IMAGES", images));
        Ok(self)
    }
}

/// Builds programs of the lab; no group named: all that a lab runs by itself.
fn tools(folder: &Path, groups: &[&str]) -> Result<()> {
    let mut program = Command::new(folder.join("podid-lab"));
    process::run(program.arg("tools").args(groups))
}

/// Runs `cargo test` and counts, while its output is shown as it comes.
fn tests(targets: &[String], setup: &Setup, arguments: &[String]) -> Result<Count> {
    let mut command = cargo::cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(targets);
    command.arg("--").args(arguments);
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
