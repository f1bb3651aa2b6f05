//! What one folder declares.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::overlay::Overlay;
use crate::tree::error::TreeError;
use crate::tree::manifest_tree::ManifestTree;
use crate::tree::object::{DeclaredObject, SourceFile};
use crate::tree::{folder, kustomization, program};
use crate::yaml::{self, InputError};

/// Who reads a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A person names it, and it may hold more than manifests.
    Person,
    /// Flux applies it, and fails on what is no manifest.
    Flux,
}

/// What a folder declares.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) objects: Vec<DeclaredObject>,
    /// What was left out, and why.
    pub(super) notes: Vec<String>,
    /// Files that can change objects of other files.
    pub(super) patches: Vec<Rc<SourceFile>>,
    /// Files that kustomize reads.
    reached: Vec<Rc<SourceFile>>,
    /// The first thing on which Flux would fail, where a person reads.
    pub(super) fault: Option<TreeError>,
    /// Whether charts were left out, which Flux does not know as such.
    pub(super) has_charts: bool,
}

/// The objects of `dir`, with an overlay on top.
pub(super) fn read(
    tree: &ManifestTree,
    dir: &Path,
    overlay: &Overlay,
    reader: Reader,
) -> Result<Part, TreeError> {
    let mut part = Part::default();
    let parts = match kustomization::file_in(dir) {
        Some(_) => folder::Parts::of_kustomization(dir),
        None => folder::parts(tree, dir, reader == Reader::Person)?,
    };
    part.has_charts = !parts.charts.is_empty();
    for chart in parts.charts {
        let chart = tree.shown(&chart);
        let note = format!("{} is a Helm chart, which is not planned", chart.display());
        part.notes.push(note);
    }
    let mut kustomizations = parts.kustomizations;
    part.reach(tree, &mut kustomizations)?;
    let mut components = overlay.components.clone();
    part.reach(tree, &mut components)?;
    let files = part.files(tree, parts.files, reader)?;
    if overlay.is_empty() {
        for folder in &kustomizations {
            let only = std::slice::from_ref(folder);
            let built = program::build(tree, folder, only, &overlay.fields);
            part.objects
                .extend(built.map_err(|error| part.cause(error))?);
        }
        return Ok(part);
    }
    let resources = [files, kustomizations].concat();
    if resources.is_empty() {
        return Ok(part);
    }
    let mut fields = overlay.fields.clone();
    if !components.is_empty() {
        let paths = components.iter().map(|path| path.display().to_string());
        fields.insert("components".to_owned(), paths.collect());
    }
    let built = program::build(tree, dir, &resources, &fields);
    part.objects = built.map_err(|error| part.cause(error))?;
    Ok(part)
}

impl Part {
    /// Adds the patches of these kustomizations, and leaves out those that need another host and have nothing to
    /// do with podid.
    fn reach(&mut self, tree: &ManifestTree, folders: &mut Vec<PathBuf>) -> Result<(), TreeError> {
        let mut kept = Vec::new();
        for folder in std::mem::take(folders) {
            let reach = kustomization::reach(tree, &folder)?;
            if let Some(remote) = reach.remote {
                if reach.files.iter().any(|file| is_of_podid(&file.text)) {
                    return Err(remote);
                }
                let shown = tree.shown(&folder);
                let note = format!("{} is not planned: {remote}", shown.display());
                self.notes.push(note);
                continue;
            }
            self.patches.extend(reach.patches);
            self.reached.extend(reach.files);
            kept.push(folder);
        }
        *folders = kept;
        Ok(())
    }

    /// Where kustomize fails on a file that is no YAML, this file and the line; kustomize often names neither.
    fn cause(&self, error: TreeError) -> TreeError {
        if !matches!(error, TreeError::Program { .. }) {
            return error;
        }
        let parsed = |file: &Rc<SourceFile>| yaml::parse_values(&file.path, &file.text).err();
        let found = self.reached.iter().find_map(parsed);
        found.map_or(error, TreeError::from)
    }

    /// Adds the objects of these files; those files that have some.
    fn files(
        &mut self,
        tree: &ManifestTree,
        files: Vec<PathBuf>,
        reader: Reader,
    ) -> Result<Vec<PathBuf>, TreeError> {
        let mut kept = Vec::new();
        for file in files {
            let found = match manifests(tree, &file) {
                Ok(found) => found,
                Err(error) => {
                    self.unreadable(tree, &file, error, reader)?;
                    continue;
                }
            };
            let mut numbered = found.iter().enumerate();
            if let Some(fault) = numbered.find_map(|(at, object)| no_object(at, object)) {
                match reader {
                    Reader::Flux => return Err(fault),
                    Reader::Person => self.fault.get_or_insert(fault),
                };
            }
            let is_object = |object: &DeclaredObject| {
                object.value["apiVersion"].is_string() && object.value["kind"].is_string()
            };
            let before = self.objects.len();
            self.objects.extend(found.into_iter().filter(is_object));
            if self.objects.len() > before {
                kept.push(file);
            }
        }
        Ok(kept)
    }

    /// A file that is no YAML is left out, unless Flux reads it or it may be about podid.
    fn unreadable(
        &mut self,
        tree: &ManifestTree,
        file: &Path,
        error: InputError,
        reader: Reader,
    ) -> Result<(), TreeError> {
        let InputError::Yaml {
            file: shown, line, ..
        } = &error
        else {
            return Err(error.into());
        };
        let about_podid = tree.source(file).is_ok_and(|it| is_of_podid(&it.text));
        if reader == Reader::Flux || about_podid {
            return Err(error.into());
        }
        let note = format!("{}:{line} is not YAML; it is left out", shown.display());
        self.notes.push(note);
        self.fault.get_or_insert(error.into());
        Ok(())
    }
}

fn manifests(tree: &ManifestTree, file: &Path) -> Result<Vec<DeclaredObject>, InputError> {
    SourceFile::objects(&tree.source(file)?)
}

/// Whether a text may be about podid's kinds, or those that they become.
fn is_of_podid(text: &str) -> bool {
    ["podid.dev", "PodIdentity", "aadpodidentity"]
        .iter()
        .any(|word| text.contains(word))
}

/// Why Flux takes the `at`th document of a file for no object.
fn no_object(at: usize, object: &DeclaredObject) -> Option<TreeError> {
    let value = &object.value;
    let is_list = object.kind().ends_with("List");
    let lacks = if !value["kind"].is_string() {
        "kind"
    } else if !value["apiVersion"].is_string() {
        "apiVersion"
    } else if !is_list && !value["metadata"]["name"].is_string() {
        "metadata.name"
    } else {
        return None;
    };
    let source = object.source.as_ref()?;
    Some(TreeError::NoObject {
        file: source.path.clone(),
        line: source.roots().nth(at).map_or(1, |root| root.line),
        lacks,
    })
}
