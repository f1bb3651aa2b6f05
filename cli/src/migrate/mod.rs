//! `podid migrate values`: values of aad-pod-identity's chart as values of podid's.

mod identities;
mod rules;
mod values;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::output::{self, Format};
use crate::yaml::{self, InputError};
use values::{Migration, Note};

/// `podid migrate values`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MigrateValuesArgs {
    /// Values file of aad-pod-identity's chart; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Form of the output: text is a values file with the notes as comments
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
Every value of the old file that has no counterpart is named with its line and the reason. Secrets are
not copied.

Example:
  podid migrate values old-values.yaml > values.yaml";

/// Why nothing was migrated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{file} holds {count} documents, and a values file is one mapping")]
    NoValues { file: PathBuf, count: usize },
    #[error("{file} is a {kind} and no values file; give what is under its spec.values")]
    Object { file: PathBuf, kind: String },
    #[error("the values cannot be written as YAML")]
    Yaml(#[source] serde_saphyr::ser::Error),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    values: &'a Value,
    notes: &'a [Note],
    /// Values that podid's chart needs and the old file does not say.
    missing: Vec<&'static str>,
}

/// What podid's chart cannot guess: where its images are, and as whom the operator signs in.
const NEEDED: [&str; 3] = [
    "image.registry",
    "operator.settings.tenantId",
    "operator.settings.clientId",
];

/// Writes podid's values for an old file.
pub(crate) fn values(args: &MigrateValuesArgs, out: &mut dyn Write) -> Result<(), MigrateError> {
    let text = yaml::read_text(&args.file)?;
    let documents = yaml::parse_values(&args.file, &text)?;
    let nodes = yaml::parse(&text).unwrap_or_default();
    let mut roots = nodes.iter().filter_map(|document| document.root.as_ref());
    let (count, mut migration) = (documents.len(), Migration::default());
    match (documents.into_iter().next(), roots.next()) {
        (Some(old), Some(root)) if count == 1 && old.is_object() => {
            if let (Some(kind), true) = (old["kind"].as_str(), old["apiVersion"].is_string()) {
                let (file, kind) = (args.file.clone(), kind.to_owned());
                return Err(MigrateError::Object { file, kind });
            }
            migration.read(&old, root);
        }
        // A file of comments only asks for nothing.
        (None, None) => {}
        _ => {
            let file = args.file.clone();
            return Err(MigrateError::NoValues { file, count });
        }
    }
    migration.notes.sort_by_key(|note| note.line);
    let report = Report {
        values: &migration.values,
        notes: &migration.notes,
        missing: missing(&migration.values),
    };
    match args.output {
        Format::Text => text_report(&args.file, &report, out)?,
        Format::Json => output::structured(&report, false, out)?,
        Format::Yaml => output::structured(&report, true, out)?,
    }
    Ok(())
}

fn missing(values: &Value) -> Vec<&'static str> {
    let has = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        values.pointer(&pointer).is_some()
    };
    NEEDED.into_iter().filter(|path| !has(path)).collect()
}

fn text_report(
    file: &std::path::Path,
    report: &Report<'_>,
    out: &mut dyn Write,
) -> Result<(), MigrateError> {
    writeln!(out, "# Values of podid's chart, from {}.", file.display())?;
    for Note { line, value, why } in report.notes {
        // A value of the old file may hold a line break.
        let note = format!("{value}: {why}").replace(['\n', '\r'], " ");
        writeln!(out, "# {}:{line}: {note}", file.display())?;
    }
    if !report.missing.is_empty() {
        let missing = report.missing.join(", ");
        writeln!(
            out,
            "# Still to be added, as the old file does not say it: {missing}"
        )?;
    }
    let values = serde_saphyr::to_string(report.values).map_err(MigrateError::Yaml)?;
    write!(out, "{values}")?;
    Ok(())
}
