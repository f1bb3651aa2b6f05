//! `podid plan`: what the operator would do for the profiles of a file, by the operator's own decision.

mod assess;
mod files;
mod notes;
mod print;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::create::values::named;
use crate::exit::Exit;
use crate::output::{self, Format};
pub(crate) use files::FileError;

/// `podid plan`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// File with profiles, and perhaps their classes; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// File with the class, when FILE does not hold it; can be given again
    #[arg(long, value_name = "FILE")]
    class_file: Vec<PathBuf>,

    /// Namespace of profiles that name none
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,

    /// Label of the namespace, for classes that go by labels; can be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    namespace_label: Vec<(String, String)>,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
The plan is made against an empty Azure: every identity and right of the profile counts as new.

Exit codes: 0 nothing to do, 2 changes, 3 refused by the class or by podid, 1 error.

Examples:
  podid plan payments/checkout.yaml --class-file classes/standard.yaml
  kubectl kustomize overlays/production | podid plan - -o json";

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "class {class} of profile {profile} is in none of the files; name its file with \
         --class-file"
    )]
    NoClass { profile: String, class: String },
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

/// Plans every profile of the file and prints what would be done.
pub(crate) fn plan(args: &PlanArgs, out: &mut dyn Write) -> Result<Exit, PlanError> {
    let mut files = files::read(&args.file)?;
    for file in &args.class_file {
        files.classes.extend(files::read(file)?.classes);
    }
    let labels: BTreeMap<_, _> = args.namespace_label.iter().cloned().collect();
    let mut plans = Vec::new();
    for mut profile in files.profiles {
        profile
            .metadata
            .namespace
            .get_or_insert_with(|| args.namespace.clone());
        let profile = podid_crds::convert::profile(&profile, labels.clone());
        let Some(class) = files.classes.get(&profile.class_name) else {
            let name = format!("{}/{}", profile.namespace, profile.name);
            return Err(PlanError::NoClass {
                profile: name,
                class: profile.class_name,
            });
        };
        let class = podid_crds::convert::class(class);
        plans.push(assess::assess(&profile, &class));
    }
    let report = print::PlanReport {
        profiles: plans,
        ignored: files.ignored,
    };
    match args.output {
        Format::Text => report.text(out)?,
        Format::Json => output::structured(&report, false, out)?,
        Format::Yaml => output::structured(&report, true, out)?,
    }
    Ok(report.exit())
}
