//! A folder of manifests, and what was rendered of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::TreeError;
use super::kustomize::Kustomize;
use super::object::{DeclaredObject, SourceFile};
use super::own_sources::OwnSources;
use crate::yaml::InputError;

/// A folder of manifests, in which Flux's paths begin and which nothing leaves.
#[derive(Debug)]
pub(crate) struct ManifestTree {
    /// Absolute, without symbolic links.
    pub(super) root: PathBuf,
    pub(super) kustomize: Kustomize,
    pub(super) own: OwnSources,
    /// Files that were read, by their absolute paths.
    files: RefCell<BTreeMap<PathBuf, Rc<SourceFile>>>,
}

/// What a folder of a tree declares.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    /// All objects, in the order in which they were found.
    pub(crate) objects: Vec<DeclaredObject>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
    /// Files that can change objects of other files: patches.
    pub(crate) patches: Vec<Rc<SourceFile>>,
    /// The Kustomizations of Flux's that were followed and delete what is gone, as `NAMESPACE/NAME`.
    pub(crate) prune: BTreeSet<String>,
}

impl ManifestTree {
    /// The tree under `root`.
    pub(crate) fn new(
        root: &Path,
        kustomize: Kustomize,
        own: OwnSources,
    ) -> Result<Self, TreeError> {
        let root = root
            .canonicalize()
            .map_err(|source| TreeError::read(root, source))?;
        Ok(Self {
            root,
            kustomize,
            own,
            files: RefCell::default(),
        })
    }

    /// `path` without symbolic links, if it is in the tree.
    pub(super) fn inside(&self, path: &Path) -> Result<PathBuf, TreeError> {
        let found = path
            .canonicalize()
            .map_err(|source| TreeError::read(&self.shown(path), source))?;
        if found.starts_with(&self.root) {
            return Ok(found);
        }
        Err(TreeError::Outside {
            path: self.shown(path),
            target: found,
        })
    }

    /// A path as people know it: relative to the root.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        if path.as_os_str().is_empty() {
            return PathBuf::from(".");
        }
        path.to_owned()
    }

    /// A file of the tree, which is read once.
    pub(super) fn source(&self, path: &Path) -> Result<Rc<SourceFile>, InputError> {
        if let Some(known) = self.files.borrow().get(path) {
            return Ok(Rc::clone(known));
        }
        let read = Rc::new(SourceFile::read(path, self.shown(path))?);
        let mut files = self.files.borrow_mut();
        files.insert(path.to_owned(), Rc::clone(&read));
        Ok(read)
    }
}

/// Kinds whose objects a plan reads beside podid's own; of two that differ the first is taken.
const READ: [&str; 3] = ["Namespace", "ConfigMap", "Secret"];

impl Rendered {
    /// Every object once, and with what podid's chart makes of its releases.
    ///
    /// # Errors
    ///
    /// An object of podid's or Flux's that is declared twice, and differently.
    pub(crate) fn once(self) -> Result<Self, TreeError> {
        self.with_releases().without_copies()
    }

    fn without_copies(mut self) -> Result<Self, TreeError> {
        let mut first: BTreeMap<(String, String), DeclaredObject> = BTreeMap::new();
        for object in std::mem::take(&mut self.objects) {
            let key = (object.group().to_owned(), object.described());
            let Some(known) = first.get(&key) else {
                first.insert(key, object.clone());
                self.objects.push(object);
                continue;
            };
            if known.value == object.value {
                continue;
            }
            let clash = clash(known, &object);
            if object.decides() {
                return Err(TreeError::Twice { clash });
            }
            if object.group().is_empty() && READ.contains(&object.kind()) {
                self.notes.push(format!("{clash}; the first is taken"));
            }
        }
        Ok(self)
    }
}

/// In words: both places of an object.
fn clash(first: &DeclaredObject, second: &DeclaredObject) -> String {
    let place = |object: &DeclaredObject| match object.place_of("") {
        Some(place) => place.to_string(),
        None => "a kustomization".to_owned(),
    };
    let (object, first, second) = (first.described(), place(first), place(second));
    format!("{object} is declared twice, and differently: {first} and {second}")
}
