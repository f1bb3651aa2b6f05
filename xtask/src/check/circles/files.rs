//! The files of a crate, by the modules they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::source::Source;

/// A module's path below its crate's root; the root's own is empty.
pub(super) type Module = Vec<String>;

/// The files of one crate.
pub(super) type Files = BTreeMap<Module, File>;

/// A file of a crate, as read.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) source: Source,
}

/// Reads the crate whose root is `root`, from there to every file that a `mod` names.
pub(super) fn read(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut open = vec![(Module::new(), root.to_owned())];
    while let Some((module, path)) = open.pop() {
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let source = Source::parse(&text)
            .with_context(|| format!("{} is not Rust that can be read", path.display()))?;
        let folder = folder_of_children(&path, module.is_empty());
        for child in &source.children {
            let file = folder.join(format!("{child}.rs"));
            let file = if file.is_file() {
                file
            } else {
                folder.join(child).join("mod.rs")
            };
            open.push((
                [module.as_slice(), std::slice::from_ref(child)].concat(),
                file,
            ));
        }
        files.insert(module, File { path, source });
    }
    Ok(files)
}

/// `mod.rs` and a crate's root have their children beside them, other files in a folder.
fn folder_of_children(path: &Path, is_root: bool) -> PathBuf {
    if is_root || path.ends_with("mod.rs") {
        path.with_file_name("")
    } else {
        path.with_extension("")
    }
}
