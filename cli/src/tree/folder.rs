//! What of a folder without kustomization.yaml Flux takes: every YAML file, and every folder below that has a
//! kustomization, as a whole.

use std::path::{Path, PathBuf};

use super::error::TreeError;
use super::kustomization;
use super::manifest_tree::ManifestTree;

/// Parts of a folder.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// YAML files.
    pub(super) files: Vec<PathBuf>,
    /// Folders with a kustomization.
    pub(super) kustomizations: Vec<PathBuf>,
    /// Folders of Helm charts, whose files are no manifests.
    pub(super) charts: Vec<PathBuf>,
}

impl Parts {
    /// Those of a folder with a kustomization.
    pub(super) fn of_kustomization(dir: &Path) -> Self {
        Self {
            kustomizations: vec![dir.to_owned()],
            ..Self::default()
        }
    }
}

/// Folders and files of git, pipelines and Flux that its sources leave out by default.
const LEFT_OUT: [&str; 13] = [
    ".git",
    ".github",
    ".circleci",
    ".travis.yml",
    ".gitlab-ci.yml",
    ".drone.yml",
    ".goreleaser.yml",
    ".sops.yaml",
    ".flux.yaml",
    "appveyor.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
];

/// The parts of `dir`, in the order of their names. What Flux leaves out is left out; other hidden files and folders
/// are not. Flux knows no charts: it takes their files for manifests, unless `know_charts`.
pub(super) fn parts(
    tree: &ManifestTree,
    dir: &Path,
    know_charts: bool,
) -> Result<Parts, TreeError> {
    let mut parts = Parts::default();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let mut below = Vec::new();
        for path in entries(&dir)? {
            let path = tree.inside(&path)?;
            if path.is_dir() {
                // A link to a folder over it would never end.
                if !dir.starts_with(&path) {
                    below.push(path);
                }
            } else if is_yaml(&path) {
                parts.files.push(path);
            }
        }
        for folder in below.into_iter().rev() {
            if kustomization::file_in(&folder).is_some() {
                parts.kustomizations.push(folder);
            } else if know_charts && is_chart(&folder) {
                parts.charts.push(folder);
            } else {
                open.push(folder);
            }
        }
    }
    Ok(parts)
}

/// What a folder holds, sorted, without what Flux leaves out.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, TreeError> {
    let failed = |source| TreeError::read(dir, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !LEFT_OUT.iter().any(|name| entry.file_name() == **name) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder is a Helm chart; an object of Kubernetes in a file of that name makes none.
fn is_chart(folder: &Path) -> bool {
    let file = folder.join("Chart.yaml");
    let text = crate::yaml::read_text(&file).unwrap_or_default();
    let values = crate::yaml::parse_values(&file, &text).unwrap_or_default();
    file.is_file() && values.iter().all(|value| value["kind"].is_null())
}

fn is_yaml(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    matches!(extension, Some("yaml" | "yml")) && path.is_file()
}
