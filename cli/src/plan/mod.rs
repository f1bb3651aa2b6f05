//! `podid plan`: what the operator would do for the profiles of some files, by the operator's own decision.

mod assess;
mod compare;
mod declared;
mod earlier;
mod error;
mod input;
mod live;
mod markdown;
mod notes;
mod places;
mod print;
mod profile_plan;
mod range;
mod report;
mod sarif;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use podid_core::class::Class;
use podid_crds::convert;

use crate::create::values::named;
use crate::exit::Exit;
use crate::output;
use crate::tree::Kustomize;
use compare::Context;
pub(crate) use error::PlanError;
use input::{Input, Rendering};
use live::LiveArgs;
use report::PlanReport;

/// `podid plan`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// File with profiles, and perhaps their classes; folder, rendered as Flux does; OLD..NEW for what
    /// commits change; - for standard input
    #[arg(value_name = "PATH|OLD..NEW")]
    what: PathBuf,

    /// File with the class, when PATH does not hold it; can be given again
    #[arg(long, value_name = "FILE")]
    class_file: Vec<PathBuf>,

    /// Namespace of profiles that name none
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,

    /// Label of the namespace, for classes that go by labels, where the files hold no Namespace; can be
    /// given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    namespace_label: Vec<(String, String)>,

    /// Folder in which the paths of Flux's Kustomizations begin [default: that of the working tree]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// With OLD..NEW: the folder to plan [default: each folder of clusters/, else everything]
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,

    /// With OLD..NEW: the git repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,

    /// Variable of Flux's post-build substitution; can be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    substitute: Vec<(String, String)>,

    /// Source of Flux's that is made of this repository, where neither its URL nor the Kustomization of the
    /// folder says so; can be given again
    #[arg(long, value_name = "KIND/NAME")]
    source: Vec<String>,

    /// kustomize or kubectl, to render kustomizations [default: the first of both on the path]
    #[arg(long, value_name = "PROGRAM")]
    kustomize: Option<PathBuf>,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: PlanFormat,

    #[command(flatten)]
    live: LiveArgs,
}

/// Form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people; coloured on a terminal
    Text,
    /// For a comment of a pull request
    Markdown,
    /// For programs
    Json,
    /// For programs
    Yaml,
    /// What is refused, with file and line, for code hosts
    Sarif,
}

const EXAMPLES: &str = "\
A file or folder is planned against an empty Azure: every identity and right counts as new. OLD..NEW is
planned against an Azure that holds what OLD asks for, so deletions and lost rights show; OLD...NEW
begins where NEW left OLD. With --live, a file or folder is planned against what the profiles of a cluster
and their status say; nothing is written there, and Azure is not asked.

Exit codes: 0 nothing to do, 2 changes, 3 refused by the class or by podid, 1 error.

Examples:
  podid plan payments/checkout.yaml --class-file classes/standard.yaml
  podid plan clusters/production
  podid plan origin/main...HEAD -o markdown
  podid plan clusters/production --live --context production
  kubectl kustomize overlays/production | podid plan - -o json";

/// Plans every profile and prints what would be done.
pub(crate) fn plan(args: &PlanArgs, out: &mut dyn Write) -> Result<Exit, PlanError> {
    let report = match report(args) {
        Ok(report) => report,
        Err(error) => {
            // Who reads a pull request sees what a pipeline posts there, and not what it prints.
            match args.output {
                PlanFormat::Markdown => markdown::failed(&error, out)?,
                PlanFormat::Sarif => output::structured(&sarif::of_error(&error), false, out)?,
                PlanFormat::Text | PlanFormat::Json | PlanFormat::Yaml => {}
            }
            return Err(error);
        }
    };
    match args.output {
        PlanFormat::Text => {
            let mut text = Vec::new();
            report.text(&mut text)?;
            let text = String::from_utf8_lossy(&text);
            write!(out, "{}", output::for_logs(&text))?;
        }
        PlanFormat::Markdown => report.markdown(out)?,
        PlanFormat::Json => output::structured(&report, false, out)?,
        PlanFormat::Yaml => output::structured(&report, true, out)?,
        PlanFormat::Sarif => output::structured(&sarif::of_plan(&report), false, out)?,
    }
    Ok(report.exit())
}

fn report(args: &PlanArgs) -> Result<PlanReport, PlanError> {
    let rendering = Rendering {
        root: args.root.as_deref(),
        repo: &args.repo,
        path: &args.path,
        kustomize: Kustomize {
            named: args.kustomize.clone(),
        },
        variables: &args.substitute,
        sources: &args.source,
    };
    let context = Context {
        namespace: args.namespace.clone(),
        labels: args.namespace_label.iter().cloned().collect(),
    };
    let (mut profiles, mut ignored, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let inputs = rendering.inputs(&args.what)?;
    let mut cluster = live::read(&args.live, &inputs, &args.namespace)?;
    for mut input in inputs {
        add_classes(args, &mut input)?;
        if let Some(cluster) = cluster.take() {
            cluster.compare(&args.live, &mut input);
        }
        let mut plans = compare::plans(&input.new, input.old.as_ref(), &context)?;
        for plan in &mut plans {
            plan.cluster.clone_from(&input.cluster);
        }
        profiles.extend(plans);
        ignored.extend(input.new.others.iter().map(|other| other.described()));
        notes.extend(input.new.notes);
    }
    Ok(PlanReport::new(profiles, ignored, notes))
}

/// The classes of a file, as plain values.
pub(crate) fn classes(file: &Path) -> Result<Vec<Class>, PlanError> {
    let classes = input::file(file)?.classes.into_values();
    Ok(classes.map(|class| convert::class(&class.object)).collect())
}

/// Adds the classes of the named files to both versions; they count before those of the versions.
fn add_classes(args: &PlanArgs, input: &mut Input) -> Result<(), PlanError> {
    let old = input.old.iter_mut().map(|old| &mut old.declared);
    for declared in old.chain([&mut input.new]) {
        for file in &args.class_file {
            declared.classes.extend(input::file(file)?.classes);
        }
    }
    Ok(())
}
