//! What every scene stands on: the lab, the programs, and the tools of a user.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use podid_lab::{Flux, Lab, Lifetime, NodeAgent, NodeKind, UpOptions};
use serde_json::Value;

use podid_tests::python;

use crate::nodes::Nodes;
use crate::options::Options;
use crate::story::Story;
use crate::{command, ui};

const SCENE: &str = "Prepare";

/// The lab and all that the scenes use in it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    /// Of which kind its nodes are.
    pub(crate) nodes: Nodes,
    /// Folder of our own programs.
    pub(crate) programs: PathBuf,
    /// Interpreter that has the Azure SDKs.
    pub(crate) python: PathBuf,
    /// Repositories of the demo; they go with the lab.
    work: PathBuf,
}

impl Stage {
    /// Builds what is missing and starts the lab.
    pub(crate) fn build(options: &Options, story: &mut Story) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!(
                "the demo makes network namespaces and needs root: \
                 run `sudo -E env PATH=\"$PATH\" cargo xtask demo`"
            );
        }
        // podid's other programs are built into the same folder.
        let own = std::env::current_exe().context("this program cannot be found")?;
        let programs = own.parent().map(Path::to_path_buf).unwrap_or_default();
        let python = python::interpreter()?;
        let mut lab_options = lab_options(options);
        let nodes = Nodes::prepare(options, &mut lab_options, &programs, &python, story)?;
        story.scene("A cluster and a cloud, on this machine");
        let lab = start_lab(lab_options, story)?;
        let work = lab.dir().file("demo");
        std::fs::create_dir(&work).with_context(|| format!("cannot create {}", work.display()))?;
        Ok(Self {
            lab,
            nodes,
            programs,
            python,
            work,
        })
    }

    /// What kubectl prints.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        command::capture(&mut self.lab.kubectl(arguments)?)
    }

    /// Applies `yaml`, and returns kubectl's exit code and words.
    pub(crate) fn apply(&self, yaml: &str) -> Result<(bool, String)> {
        let file = tempfile::NamedTempFile::new_in(&self.work)?;
        std::fs::write(file.path(), yaml)?;
        let output = command::output(self.lab.kubectl(&["apply", "-f"])?.arg(file.path()))?;
        let words = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&words).trim_end().to_owned(),
        ))
    }

    /// Applies `yaml`, which must be taken.
    pub(crate) fn apply_well(&self, yaml: &str) -> Result<String> {
        match self.apply(yaml)? {
            (true, words) => Ok(words),
            (false, words) => bail!("the API server refused: {words}"),
        }
    }

    /// What the simulated Azure answers at `path` of its admin API.
    pub(crate) fn azure(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.lab.sim_admin_url().trim_end_matches('/'));
        let text = command::capture(Command::new("curl").args(["-sSf", &url]))?;
        serde_json::from_str(&text).with_context(|| format!("{url} did not answer with JSON"))
    }

    /// Our own program `name`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A folder below the demo's own.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// The last lines of what podid's programs logged, for finding out why a step failed.
    pub(crate) fn show_logs(&self) {
        match self.nodes {
            Nodes::Kubelet(_) => show_pods(&self.lab),
            Nodes::StandIn => show_files(&self.lab),
        }
    }
}

/// podid's pods, and the ends of their logs.
fn show_pods(lab: &Lab) {
    let selector = "--selector=app.kubernetes.io/part-of=podid";
    for (title, command) in [
        ("podid's pods", &["get", "pods", "-o", "wide"][..]),
        (
            "The end of their logs",
            &["logs", selector, "--tail=15", "--prefix"],
        ),
    ] {
        let asked = lab.kubectl(&[&["--namespace", "podid-system"], command].concat());
        // The step that failed is what is to be told of, not this.
        let Some(output) = asked.ok().and_then(|mut asked| asked.output().ok()) else {
            continue;
        };
        ui::step(title);
        ui::detail(&String::from_utf8_lossy(&output.stdout));
    }
}

fn lab_options(options: &Options) -> UpOptions {
    UpOptions {
        name: options.name.clone(),
        nodes: vec![NodeKind::Uniform; 2],
        network: options.network,
        flux: Flux::Kustomize,
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    }
}

fn start_lab(options: UpOptions, story: &mut Story) -> Result<Lab> {
    let mut lab = None;
    let agent = options.node_agent;
    let step = "a lab: two nodes, Kubernetes, Flux and a simulated Azure";
    story.step(SCENE, step, || {
        let up = Lab::up(options);
        lab = Some(match agent {
            NodeAgent::StandIn => up?,
            NodeAgent::Kubelet => up.context("`--node-agent stand-in` does without kubelets")?,
        });
        Ok(String::new())
    })?;
    lab.context("the lab did not start")
}

/// The ends of the logs of podid's pods, as stand-ins write them.
fn show_files(lab: &Lab) {
    let files = std::fs::read_dir(lab.dir().file("logs"));
    for file in files.into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("podid-system.") {
            show_tail(&name, &file.path());
        }
    }
}

fn show_tail(name: &str, file: &Path) {
    let Ok(text) = std::fs::read_to_string(file) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    ui::step(&format!("The end of {name}'s log"));
    ui::detail(&lines[lines.len().saturating_sub(15)..].join("\n"));
}
