//! What kustomize would read for a kustomization beside its resources: sources of generators, configuration of
//! plugins, replacements. A plan may be made of what a stranger proposes, so nothing of the machine may end in it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::TreeError;
use super::manifest_tree::ManifestTree;
use super::object::SourceFile;
use crate::yaml;

/// Lists of configuration of plugins: files, folders, or YAML in place.
const PLUGINS: [&str; 3] = ["generators", "transformers", "validators"];
/// Lists of files, or of YAML in place.
const FILES: [&str; 2] = ["configurations", "patchesStrategicMerge"];
/// Lists of objects, and the fields of these that are files or lists of such, with a name before a `=` at times.
const FIELDS: [(&str, &[&str]); 4] = [
    ("configMapGenerator", &["files", "envs", "env"]),
    ("secretGenerator", &["files", "envs", "env"]),
    ("patchesJson6902", &["path"]),
    ("replacements", &["path"]),
];

/// Further fields of a kustomization that have it read something.
const OTHERS: [&str; 8] = [
    "resources",
    "components",
    "bases",
    "crds",
    "patches",
    "openapi",
    "helmCharts",
    "helmChartInflationGenerator",
];
/// Fields of what is in a kustomization's lists that name files.
const FIELDS_OF_ENTRY: [&str; 4] = ["path", "files", "envs", "env"];

/// A name as Go's JSON decoder compares it, which kustomize uses: `ReſourceS` is `resources`.
pub(super) fn folded(name: &str) -> String {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(folded).collect()
}

/// Where a kustomization is, to say so and to look from there.
pub(super) struct Place<'a> {
    pub(super) tree: &'a ManifestTree,
    pub(super) dir: &'a Path,
    pub(super) file: &'a SourceFile,
}

/// Refuses a kustomization that would have kustomize read what is not in the tree. Returns the folders with
/// configuration of plugins.
pub(super) fn check(place: &Place<'_>, kustomization: &Value) -> Result<Vec<PathBuf>, TreeError> {
    let items = |list: &str| {
        kustomization[list]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
    };
    let objects = FIELDS.map(|(list, _)| list);
    let known = [&OTHERS[..], &PLUGINS, &FILES, &objects].concat();
    place.check_names("", kustomization, &known)?;
    place.check_names("openapi", &kustomization["openapi"], &FIELDS_OF_ENTRY)?;
    for list in objects.into_iter().chain(["patches"]) {
        for (at, entry) in items(list) {
            place.check_names(&format!("{list}[{at}]"), entry, &FIELDS_OF_ENTRY)?;
        }
    }
    place.check("openapi.path", &kustomization["openapi"]["path"])?;
    for list in FILES {
        place.check(list, &kustomization[list])?;
    }
    for (list, fields) in FIELDS {
        for (at, object) in items(list) {
            for field in fields {
                place.check(&format!("{list}[{at}].{field}"), &object[field])?;
            }
        }
    }
    let mut folders = Vec::new();
    for list in PLUGINS {
        for (at, entry) in items(list) {
            folders.extend(place.plugin(&format!("{list}[{at}]"), entry)?);
        }
    }
    Ok(folders)
}

/// Refuses configuration of a plugin that names what is not in the tree. Which of its fields are files depends on
/// the plugin.
pub(super) fn check_plugin(place: &Place<'_>) -> Result<(), TreeError> {
    let values = yaml::parse_values(&place.file.path, &place.file.text)?;
    values.iter().try_for_each(|value| place.check("", value))
}

impl Place<'_> {
    /// Checks one entry of a list of plugins; its folder, if it is one.
    fn plugin(&self, field: &str, entry: &Value) -> Result<Option<PathBuf>, TreeError> {
        self.check(field, entry)?;
        let Some(text) = entry.as_str() else {
            return Ok(None);
        };
        let path = self.dir.join(text);
        if !path.exists() {
            let in_place = yaml::parse_values(&self.file.path, text)?;
            // kustomize takes what is no object for the address of a repository.
            if in_place.is_empty() || !in_place.iter().all(Value::is_object) {
                return Err(TreeError::Remote {
                    file: self.file.path.clone(),
                    line: self.file.line_of(field),
                    entry: text.to_owned(),
                });
            }
            in_place.iter().try_for_each(|it| self.check(field, it))?;
            return Ok(None);
        }
        let path = self.tree.inside(&path)?;
        if path.is_dir() {
            return Ok(Some(path));
        }
        let file = self.tree.source(&path)?;
        let place = Place {
            file: &file,
            ..*self
        };
        check_plugin(&place).map(|()| None)
    }

    /// Refuses names that kustomize takes for known ones and this program would not, and merge keys.
    fn check_names(&self, at: &str, object: &Value, known: &[&str]) -> Result<(), TreeError> {
        let names = object.as_object().into_iter().flatten();
        for (name, _) in names {
            let is_odd = |known: &&&str| folded(known) == folded(name) && **known != name;
            let meant = known.iter().find(is_odd);
            if name == "<<" || meant.is_some() {
                return Err(TreeError::Spelling {
                    file: self.file.path.clone(),
                    line: self.file.line_of(at),
                    name: name.clone(),
                    meant: meant
                        .map_or("the fields themselves", |meant| *meant)
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Checks all texts in a value.
    fn check(&self, field: &str, value: &Value) -> Result<(), TreeError> {
        match value {
            Value::String(text) => {
                self.check_text(text, self.file.line_of(field.trim_start_matches('.')))
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| self.check(&format!("{field}[{at}]"), item)),
            Value::Object(fields) => fields
                .iter()
                .try_for_each(|(name, value)| self.check(&format!("{field}.{name}"), value)),
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str, line: usize) -> Result<(), TreeError> {
        // Of several lines is only YAML in place.
        if text.contains('\n') {
            return Ok(());
        }
        let after_name = text.split_once('=').map(|(_, path)| path);
        for path in [Some(text), after_name].into_iter().flatten() {
            let (file, entry) = (self.file.path.clone(), text.to_owned());
            if is_address(path) {
                return Err(TreeError::Remote { file, line, entry });
            }
            if self.is_outside(path) {
                return Err(TreeError::EntryOutside { file, line, entry });
            }
        }
        Ok(())
    }

    fn is_outside(&self, path: &str) -> bool {
        let full = self.dir.join(path);
        full.exists() && self.tree.inside(&full).is_err()
    }
}

/// Whether an entry can only be an address.
pub(super) fn is_address(entry: &str) -> bool {
    let starts = ["http:", "https:", "ssh:", "git:", "git::", "git@", "file:"];
    let entry = entry.to_ascii_lowercase();
    starts.iter().any(|start| entry.starts_with(start))
}
