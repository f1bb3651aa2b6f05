//! `podid bootstrap git`: the files by which Flux runs podid on a cluster, committed and pushed.

mod aks;
mod args;
mod decide;
mod facts;
mod manifests;
mod report;
mod template;

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use podid_crds::check::{self, Finding};
use rand::Rng;
use serde_json::Value;

pub(crate) use args::BootstrapArgs;
use decide::{Decision, Read, decide};
use facts::{ClusterFacts, FactError};
use manifests::{ClusterFile, FOLDER};
use report::BootstrapReport;
use template::ClusterFileError;

use crate::repository::RepositoryError;
use crate::repository::remote::{
    LocationError, Push, RemoteError, RemoteRepository, RepositoryLocation, Tip,
};

/// How often a push is tried that others overtake.
const ATTEMPTS: u32 = 5;
/// The longest pause before the second try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    #[error(transparent)]
    Facts(#[from] FactError),
    #[error(transparent)]
    Files(#[from] ClusterFileError),
    #[error(
        "--cluster-path {path} is not a folder of the repository: give a path like clusters/prod-1"
    )]
    ClusterPath { path: PathBuf },
    #[error(
        "--chart holds a user or password, which would be committed; put them into a Secret, and name it with --chart-secret"
    )]
    ChartCredentials,
    #[error("--chart is neither oci:// nor the URL of a git repository")]
    Chart(#[source] LocationError),
    #[error("the class would be refused:{}", crate::create::list(findings))]
    Class { findings: Vec<Finding> },
    #[error(
        "{file} is of class {name}, and --class says {asked}: give --class {name}, or rename the class there and in the \
         profiles first"
    )]
    ClassName {
        file: PathBuf,
        name: String,
        asked: String,
    },
    #[error("the kinds of podid cannot be generated; this is a bug, please report it")]
    Kinds(#[from] podid_crds::manifests::ManifestError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("others pushed to branch {branch} {ATTEMPTS} times while podid did; run it again")]
    Overtaken { branch: String },
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

/// Brings a cluster path of a git repository to what it should hold.
pub(crate) fn git(args: &BootstrapArgs, out: &mut dyn Write) -> Result<(), BootstrapError> {
    let cluster_path = cluster_path(&args.cluster_path)?;
    check_chart(args)?;
    let facts = facts::gather(&args.facts)?;
    let files = manifests::cluster_files(args, &cluster_path, &facts)?;
    check_class(&files)?;
    let remote = RemoteRepository::open(&args.repo, &args.connect)?;
    let run = Run {
        args,
        cluster_path,
        facts,
        files,
        remote,
    };
    let report = run.go()?;
    report.print(args.output, out)?;
    Ok(())
}

/// One run of the command.
struct Run<'a> {
    args: &'a BootstrapArgs,
    cluster_path: PathBuf,
    facts: ClusterFacts,
    files: Vec<ClusterFile>,
    remote: RemoteRepository,
}

impl Run<'_> {
    /// Fetches, decides, commits and pushes; from the start again when others were quicker.
    fn go(&self) -> Result<BootstrapReport, BootstrapError> {
        let mut branch = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(pause(attempt));
            }
            let tip = self.remote.tip(self.args.branch.as_deref())?;
            let decision = self.decide(&tip)?;
            let mut report = BootstrapReport::new(&self.remote, &tip, &decision);
            if self.args.dry_run {
                return Ok(report.shown(&decision.changes)?);
            }
            if decision.changes.is_empty() {
                return Ok(report);
            }
            let message = self.message(&decision);
            let author = self.args.author.as_ref();
            let commit = self
                .remote
                .commit(&tip, &decision.changes, &message, author)?;
            if self.remote.push(&tip, commit)? == Push::Done {
                report.pushed(&self.remote, &tip, commit, message);
                return Ok(report);
            }
            branch = tip.branch;
        }
        Err(BootstrapError::Overtaken { branch })
    }

    fn decide(&self, tip: &Tip) -> Result<Decision, BootstrapError> {
        let read = |path: &Path| self.remote.read(tip, path);
        self.check_class_name(&read)?;
        Ok(decide(&self.cluster_path, &self.files, &read)?)
    }

    /// The limits are a patch of the class, which is found by its name.
    fn check_class_name(&self, read: &Read<'_>) -> Result<(), BootstrapError> {
        let file = self.cluster_path.join(FOLDER).join("classes/limits.yaml");
        let text = read(&file)?.unwrap_or_default();
        let limits: Value = serde_saphyr::from_str(&text).unwrap_or_default();
        let asked = &self.args.limits.class;
        match limits["metadata"]["name"].as_str() {
            Some(name) if name != asked => Err(BootstrapError::ClassName {
                file,
                name: name.to_owned(),
                asked: asked.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn message(&self, decision: &Decision) -> String {
        let is_new = decision.changes.iter().all(|change| change.old.is_none());
        let (verb, to) = if is_new {
            ("Add", "to")
        } else {
            ("Update", "of")
        };
        let subject = format!("{verb} podid {to} {}", self.facts.cluster);
        match &self.args.message_appendix {
            Some(appendix) => format!("{subject}\n\n{appendix}\n"),
            None => format!("{subject}\n"),
        }
    }
}

/// Somewhere in a span that doubles, so that two that meet do not meet again.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// The path without `.`, if it stays inside the repository.
fn cluster_path(given: &Path) -> Result<PathBuf, BootstrapError> {
    let mut path = PathBuf::new();
    for component in given.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name)
                if !name.eq_ignore_ascii_case(".git") && name.to_str().is_some() =>
            {
                path.push(name);
            }
            _ => {
                return Err(BootstrapError::ClusterPath {
                    path: given.to_owned(),
                });
            }
        }
    }
    if path.as_os_str().is_empty() {
        return Err(BootstrapError::ClusterPath {
            path: given.to_owned(),
        });
    }
    Ok(path)
}

/// The chart's URL is committed, so it may hold nothing secret.
fn check_chart(args: &BootstrapArgs) -> Result<(), BootstrapError> {
    let chart = &args.install.chart;
    let web = chart.replacen("oci://", "https://", 1);
    let location = RepositoryLocation::parse(&web, args.connect.allow_insecure_http)
        .map_err(BootstrapError::Chart)?;
    match location {
        RepositoryLocation::Folder(_) => Err(BootstrapError::Chart(LocationError::Scheme(
            "file".to_owned(),
        ))),
        location if location.has_credentials() => Err(BootstrapError::ChartCredentials),
        _ => Ok(()),
    }
}

/// The class with its limits, as the API server will see it.
fn check_class(files: &[ClusterFile]) -> Result<(), BootstrapError> {
    let find = |end| files.iter().find(|file| file.path.ends_with(end));
    if let (Some(class), Some(limits)) = (find("classes/class.yaml"), find("classes/limits.yaml")) {
        let mut object = class.object.clone();
        object["spec"]["limits"] = limits.object["spec"]["limits"].clone();
        let findings = check::object(&object)?;
        if !findings.is_empty() {
            return Err(BootstrapError::Class { findings });
        }
    }
    Ok(())
}
