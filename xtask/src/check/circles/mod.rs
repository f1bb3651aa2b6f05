//! Circles between the files of a crate: A uses something of B, and B, directly or through others,
//! something of A. Such files can only be understood, tested and moved together.
//!
//! The sources are read as tokens ([`source`]), without test code and documentation. One file uses
//! another when a path in it, also one in a macro, leads there: `crate::a::B`, `super::B`,
//! `child::B`, or a name that a `use` brings in. A path is followed through re-exports to the file
//! that defines the name. Hence
//!
//! - `mod child;` and `pub use child::B` alone make no use of the child by its parent: such a parent
//!   is a table of contents. It uses the child when its own code names what it re-exports;
//! - a child that takes a type from its parent, while the parent's code calls the child, is a circle:
//!   the type belongs into a file beside the child.
//!
//! What no path shows is not seen: a method called on a value; what a glob import brings in (the
//! glob counts as a use of the module it names); modules written inside a file (`mod a { … }`) or
//! placed by `#[path]`.

mod files;
mod graph;
mod source;

#[cfg(test)]
mod tests;

use anyhow::Result;
use cargo_metadata::TargetKind;

use crate::cargo;

/// A line for each circle of each program and library of the workspace.
pub(super) fn check() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in cargo::metadata()?.workspace_packages() {
        let compiled = package
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(is_compiled));
        for target in compiled {
            let files = files::read(target.src_path.as_std_path())?;
            found.extend(graph::circles(&files).into_iter().map(|circle| {
                let uses = circle.join("\n      ");
                format!("{} has a circle of files:\n      {uses}", package.name)
            }));
        }
    }
    Ok(found)
}

fn is_compiled(kind: &TargetKind) -> bool {
    !matches!(kind, TargetKind::Test | TargetKind::CustomBuild)
}
