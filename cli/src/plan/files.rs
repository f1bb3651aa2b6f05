//! Profiles and classes from YAML files.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use kube::ResourceExt;
use podid_crds::check::{self, Finding};
use podid_crds::manifests::ManifestError;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// API version of the kinds that are planned.
const API_VERSION: &str = "podid.dev/v1alpha1";

/// What a file holds.
#[derive(Default)]
pub(super) struct Files {
    pub(super) profiles: Vec<PodIdentityProfile>,
    /// By name.
    pub(super) classes: BTreeMap<String, PodIdentityClass>,
    /// Objects of other kinds, as `Deployment payments/shop`.
    pub(super) ignored: Vec<String>,
}

/// Why a file cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{file} cannot be read")]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{file} is not YAML")]
    Yaml {
        file: PathBuf,
        source: Box<serde_saphyr::Error>,
    },
    #[error("{file} holds no profile and no class; only {API_VERSION} objects are planned")]
    Empty { file: PathBuf },
    #[error(
        "{file}: {object} would be refused by the API server:{}",
        list(findings)
    )]
    Invalid {
        file: PathBuf,
        object: String,
        findings: Vec<Finding>,
    },
    #[error("{file}: {object} does not read as its kind")]
    Kind {
        file: PathBuf,
        object: String,
        source: serde_json::Error,
    },
    #[error("the kinds of podid cannot be generated; this is a bug, please report it")]
    Kinds(#[from] ManifestError),
}

fn list(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("\n  {finding}"))
        .collect()
}

/// Reads all documents of a file, `-` being standard input.
pub(super) fn read(file: &Path) -> Result<Files, FileError> {
    let text = text(file).map_err(|source| FileError::Read {
        file: file.to_owned(),
        source,
    })?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| FileError::Yaml {
            file: file.to_owned(),
            source: Box::new(error),
        })?;
    let mut files = Files::default();
    for document in documents.into_iter().flat_map(items) {
        sort(file, document, &mut files)?;
    }
    if files.profiles.is_empty() && files.classes.is_empty() {
        return Err(FileError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(files)
}

fn text(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// `kubectl get -o yaml` wraps several objects into one List.
fn items(mut document: Value) -> Vec<Value> {
    match document["items"].take() {
        Value::Array(items) if document["kind"] == "List" => items,
        _ if document.is_null() => Vec::new(),
        _ => vec![document],
    }
}

fn sort(file: &Path, document: Value, files: &mut Files) -> Result<(), FileError> {
    let kind = document["kind"]
        .as_str()
        .unwrap_or("object without kind")
        .to_owned();
    let known = document["apiVersion"] == API_VERSION;
    match kind.as_str() {
        "PodIdentityProfile" if known => files.profiles.push(typed(file, document)?),
        "PodIdentityClass" if known => {
            let class: PodIdentityClass = typed(file, document)?;
            files.classes.insert(class.name_any(), class);
        }
        _ => files.ignored.push(name(&document)),
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(file: &Path, document: Value) -> Result<T, FileError> {
    let (file, object) = (file.to_owned(), name(&document));
    let findings = check::object(&document)?;
    if !findings.is_empty() {
        return Err(FileError::Invalid {
            file,
            object,
            findings,
        });
    }
    serde_json::from_value(document).map_err(|source| FileError::Kind {
        file,
        object,
        source,
    })
}

fn name(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (kind, metadata) = (text(&document["kind"]), &document["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", text(&metadata["name"])),
        None => format!("{kind} {}", text(&metadata["name"])),
    }
}
