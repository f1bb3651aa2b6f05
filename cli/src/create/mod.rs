//! `podid profile create` and `podid class create`: an object from flags, checked as the API
//! server would, placed in a git working tree and committed.

mod class;
mod destination;
mod neighbours;
mod profile;
pub(crate) mod values;

use std::io::Write;

use podid_crds::check::{self, Finding};
use serde_json::Value;

pub(crate) use class::ClassArgs;
use destination::DestinationArgs;
pub(crate) use neighbours::NeighbourArgs;
pub(crate) use profile::ProfileArgs;

use crate::repository::RepositoryError;

/// Why nothing was created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    #[error("the {kind} would be refused:{}", list(findings))]
    Invalid {
        kind: &'static str,
        findings: Vec<Finding>,
    },
    #[error("the {kind} cannot be written as YAML")]
    Yaml {
        kind: &'static str,
        source: serde_saphyr::ser::Error,
    },
    #[error("the {kind} cannot be written as JSON")]
    Json {
        kind: &'static str,
        source: serde_json::Error,
    },
    #[error("the kinds of podid cannot be generated; this is a bug, please report it")]
    Kinds(#[from] podid_crds::manifests::ManifestError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

/// Findings, each on a line of its own.
pub(crate) fn list(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("\n  {finding}"))
        .collect()
}

/// Creates a PodIdentityProfile.
pub(crate) fn profile(args: &ProfileArgs, out: &mut dyn Write) -> Result<(), CreateError> {
    const KIND: &str = "PodIdentityProfile";
    let object = args
        .object()
        .map_err(|source| CreateError::Json { kind: KIND, source })?;
    let object = Object {
        kind: KIND,
        name: format!("{KIND} {}/{}", args.namespace, args.name),
        default_path: format!("{}/{}.yaml", args.namespace, args.name),
        notes: args.notes(),
        object,
    };
    create(object, &args.destination, out)
}

/// Creates a PodIdentityClass.
pub(crate) fn class(args: &ClassArgs, out: &mut dyn Write) -> Result<(), CreateError> {
    const KIND: &str = "PodIdentityClass";
    let object = args
        .object()
        .map_err(|source| CreateError::Json { kind: KIND, source })?;
    let object = Object {
        kind: KIND,
        name: format!("{KIND} {}", args.name),
        default_path: format!("classes/{}.yaml", args.name),
        notes: args.notes(),
        object,
    };
    create(object, &args.destination, out)
}

/// An object to create.
struct Object {
    kind: &'static str,
    /// As in `PodIdentityClass standard`.
    name: String,
    /// Where it goes unless its author says otherwise.
    default_path: String,
    /// What its author should know about it.
    notes: Vec<String>,
    object: Value,
}

fn create(
    object: Object,
    destination: &DestinationArgs,
    out: &mut dyn Write,
) -> Result<(), CreateError> {
    let kind = object.kind;
    let findings = check::object(&object.object)?;
    if !findings.is_empty() {
        return Err(CreateError::Invalid { kind, findings });
    }
    let yaml = serde_saphyr::to_string(&object.object)
        .map_err(|source| CreateError::Yaml { kind, source })?;
    let mut report = destination::write(destination, &object.name, &object.default_path, yaml)?;
    report.notes.extend(object.notes);
    report.print(destination.commit.output, out)?;
    Ok(())
}
