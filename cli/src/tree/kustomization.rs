//! What a kustomization.yaml reaches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::error::TreeError;
use super::loaded::{self, Place, is_address};
use super::manifest_tree::ManifestTree;
use super::object::SourceFile;
use crate::repository::kustomization::NAMES;

/// Lists of a kustomization whose entries are files, folders or addresses.
const LISTS: [&str; 4] = ["resources", "components", "bases", "crds"];

/// The kustomization of a folder.
pub(super) fn file_in(dir: &Path) -> Option<PathBuf> {
    let paths = NAMES.iter().map(|name| dir.join(name));
    paths.into_iter().find(|path| path.is_file())
}

/// What a kustomization and those that it includes reach.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The kustomizations, and the files that they name.
    pub(super) files: Vec<Rc<SourceFile>>,
    /// Files of patches.
    pub(super) patches: Vec<Rc<SourceFile>>,
    /// The first entry that is on another host.
    pub(super) remote: Option<TreeError>,
}

/// What the kustomization of `dir` reaches.
///
/// # Errors
///
/// An entry that is missing, or outside the tree.
pub(super) fn reach(tree: &ManifestTree, dir: &Path) -> Result<Reach, TreeError> {
    let mut reach = Reach::default();
    // Each folder, and whether it holds configuration of plugins.
    let (mut open, mut seen) = (vec![(dir.to_owned(), false)], BTreeSet::new());
    while let Some((dir, is_plugin)) = open.pop() {
        let Some(file) = file_in(&dir) else { continue };
        if !seen.insert((dir.clone(), is_plugin)) {
            continue;
        }
        let source = tree.source(&file)?;
        // As kustomize has it, with aliases followed: by them a path can be written anywhere in the file.
        let values = crate::yaml::parse_values(&source.path, &source.text)?;
        let value = values.into_iter().next().unwrap_or_default();
        for entry in entries(&source, &value) {
            match entry.target(tree, &dir, &source) {
                Err(remote @ TreeError::Remote { .. }) => {
                    reach.remote.get_or_insert(remote);
                }
                Ok(target) if !target.is_dir() => {
                    let file = tree.source(&target)?;
                    if is_plugin {
                        loaded::check_plugin(&Place {
                            tree,
                            dir: &dir,
                            file: &file,
                        })?;
                    }
                    reach.add(file, entry.is_patch);
                }
                Ok(target) => open.push((target, is_plugin)),
                Err(error) => return Err(error),
            }
        }
        let place = Place {
            tree,
            dir: &dir,
            file: &source,
        };
        let plugins = loaded::check(&place, &value)?;
        open.extend(plugins.into_iter().map(|folder| (folder, true)));
        reach.files.push(source);
    }
    Ok(reach)
}

impl Reach {
    fn add(&mut self, file: Rc<SourceFile>, is_patch: bool) {
        if is_patch {
            self.patches.push(Rc::clone(&file));
        }
        self.files.push(file);
    }
}

/// One entry of a list.
struct Entry {
    text: String,
    line: usize,
    is_patch: bool,
}

fn entries(source: &SourceFile, kustomization: &Value) -> Vec<Entry> {
    let of = |list: &'static str| {
        let items = kustomization[list].as_array().into_iter().flatten();
        items
            .enumerate()
            .map(move |(at, item)| (format!("{list}[{at}]"), item))
    };
    let listed = LISTS.iter().flat_map(|list| of(list));
    let listed = listed.map(|(field, item)| (field, item, false));
    let patches = of("patches").map(|(field, item)| (field + ".path", &item["path"], true));
    listed
        .chain(patches)
        .filter_map(|(field, item, is_patch)| {
            Some(Entry {
                text: item.as_str()?.to_owned(),
                line: source.line_of(&field),
                is_patch,
            })
        })
        .collect()
}

impl Entry {
    fn target(
        &self,
        tree: &ManifestTree,
        dir: &Path,
        source: &SourceFile,
    ) -> Result<PathBuf, TreeError> {
        let (file, line, entry) = (source.path.clone(), self.line, self.text.clone());
        let path = dir.join(&self.text);
        if !path.exists() {
            return Err(if is_remote(&self.text) {
                TreeError::Remote { file, line, entry }
            } else {
                TreeError::Missing { file, line, entry }
            });
        }
        tree.inside(&path)
            .map_err(|_| TreeError::EntryOutside { file, line, entry })
    }
}

/// Whether kustomize would take an entry that is no file for an address.
fn is_remote(entry: &str) -> bool {
    let host = entry.split('/').next().unwrap_or_default();
    is_address(entry)
        || entry.starts_with("github.com")
        || entry.contains("?ref=")
        || entry.contains("//")
        || (entry.contains('/') && host.contains('.') && host.trim_matches('.') == host)
}
