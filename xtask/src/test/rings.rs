//! What each ring needs, and how it is run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::TargetKind;

use super::count::Count;
use super::releases::Release;
use super::ring::Ring;
use crate::{cargo, process, ui};

/// Packages whose test programs are rings of their own.
const LAB: &str = "podid-lab";
const TESTS: &str = "podid-tests";

/// What a lab whose nodes run containers runs without Flux, as `podid-lab tools` calls it.
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

/// Sets a ring up and runs it; the cluster ring on the chosen release of Kubernetes, or on the newest and the oldest.
pub(super) fn run(ring: Ring, chosen: Option<Release>, arguments: &[String]) -> Result<Count> {
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
        Ring::Cluster => on_releases(chosen, arguments),
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

/// The cluster ring on the chosen release of Kubernetes, or on the newest and then the oldest.
fn on_releases(chosen: Option<Release>, arguments: &[String]) -> Result<Count> {
    let releases = chosen.map_or(Release::ENDS.to_vec(), |release| vec![release]);
    let mut total = Count::default();
    for release in releases {
        ui::step(&format!("Kubernetes {}", release.version()));
        let mut count = on_release(release, arguments)?;
        // A filter of the caller's may leave nothing of what an older release runs.
        if arguments.is_empty() && !count.is_good() {
            count.break_off();
        }
        total += count;
    }
    Ok(total)
}

fn on_release(release: Release, arguments: &[String]) -> Result<Count> {
    let setup = Setup::lab("cluster", &[release.tools(), "etcd"])?;
    let mut arguments = arguments.to_vec();
    for left in release.left_out() {
        ui::remark(&format!("not run: {} ({})", left.tests, left.reason));
        arguments.extend(["--skip".to_owned(), left.tests.to_owned()]);
    }
    tests(&[named("cluster")], &setup.release(release), &arguments)
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

    /// All that, and the release of Kubernetes that labs are of.
    fn release(mut self, release: Release) -> Self {
        let version = release.version().to_owned();
        self.environment.push(("PODID_TEST_KUBERNETES", version));
        self
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
