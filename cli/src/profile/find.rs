//! The profiles in the files of a folder, as they are written there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::changes::EditError;
use crate::tree::{DeclaredObject, SourceFile, items};
use crate::yaml::{self, InputError};

/// API version and kind of what is looked for.
const API_VERSION: &str = "podid.dev/v1alpha1";
const KIND: &str = "PodIdentityProfile";

/// A profile in a file.
#[derive(Debug)]
pub(super) struct Found {
    /// Relative to the root of the search.
    pub(super) path: PathBuf,
    /// Which of the file's documents it is, without empty ones; `None` when it is in a `List`.
    pub(super) at: Option<usize>,
    /// How many documents the file has, without empty ones.
    pub(super) documents: usize,
    pub(super) object: DeclaredObject,
}

/// Profiles, and files that could not be read.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    pub(super) notes: Vec<String>,
}

/// All profiles below `root`, by path. Hidden files, symbolic links and other repositories are left out.
pub(super) fn profiles(root: &Path) -> Search {
    let mut search = Search::default();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(entries) = fs::read_dir(&path) else {
            search.add(root, &path);
            continue;
        };
        let mut below: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
            .map(|entry| entry.path())
            .collect();
        below.sort();
        for path in below.into_iter().rev() {
            // A submodule, or another clone.
            let is_repository = path.join(".git").exists();
            if !is_repository && (path.is_dir() || is_yaml(&path)) {
                open.push(path);
            }
        }
    }
    search
}

fn is_yaml(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    matches!(extension, Some("yaml" | "yml"))
}

impl Search {
    /// Adds the profiles of a file; one that cannot be read is noted.
    fn add(&mut self, root: &Path, path: &Path) {
        let shown = path.strip_prefix(root).unwrap_or(path);
        match of_file(path, shown) {
            Ok(found) => self.found.extend(found),
            Err(error) => self.notes.push(format!("{error}; it was left out")),
        }
    }

    /// The one profile of this name. A file that leaves the namespace to a kustomization counts as of any
    /// namespace, unless another names it.
    pub(super) fn only(self, namespace: &str, name: &str) -> Result<Found, EditError> {
        let of_name = |found: &Found| found.object.name() == name;
        let named: Vec<Found> = self.found.into_iter().filter(of_name).collect();
        let (exact, others): (Vec<Found>, Vec<Found>) = named
            .into_iter()
            .partition(|found| found.object.namespace() == Some(namespace));
        let open = |found: &Found| found.object.namespace().is_none();
        let mut candidates = exact;
        if candidates.is_empty() {
            candidates = others.into_iter().filter(open).collect();
        }
        let profile = format!("{namespace}/{name}");
        if candidates.len() > 1 {
            let places = candidates.iter().map(Found::place);
            let places: Vec<String> = places.collect();
            return Err(EditError::Several {
                profile,
                places: places.join(" and "),
            });
        }
        let notes: String = self
            .notes
            .iter()
            .map(|note| format!("\n  {note}"))
            .collect();
        candidates
            .pop()
            .ok_or(EditError::NotFound { profile, notes })
    }
}

/// The profiles of a file, which people know as `shown`.
pub(super) fn of_file(path: &Path, shown: &Path) -> Result<Vec<Found>, InputError> {
    let source = std::rc::Rc::new(SourceFile::read(path, shown.to_owned())?);
    // Most files of a repository hold no profile, and some are no YAML: templates.
    if !source.text.contains(KIND) {
        return Ok(Vec::new());
    }
    let values = yaml::parse_values(shown, &source.text)?;
    let documents = values.len();
    let mut found = Vec::new();
    for (at, document) in values.into_iter().enumerate() {
        let is_list = document["kind"] == "List";
        for value in items(document).into_iter().filter(is_profile) {
            found.push(Found {
                path: shown.to_owned(),
                at: (!is_list).then_some(at),
                documents,
                object: DeclaredObject {
                    value,
                    source: Some(std::rc::Rc::clone(&source)),
                    holder: None,
                },
            });
        }
    }
    Ok(found)
}

fn is_profile(value: &Value) -> bool {
    value["apiVersion"] == API_VERSION && value["kind"] == KIND
}

impl Found {
    /// File and line.
    pub(super) fn place(&self) -> String {
        match self.object.place_of("metadata.name") {
            Some(place) => place.to_string(),
            None => self.path.display().to_string(),
        }
    }
}
