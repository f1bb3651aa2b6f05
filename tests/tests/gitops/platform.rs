//! The platform team's copy of podid's repository, with a tag for each version.

use std::fs;
use std::path::Path;
use std::process::Command;

use podid_tests::programs::repository;
use podid_tests::{fleet, flux};
use tempfile::TempDir;

/// The version of this clone.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) struct Platform(TempDir);

impl Platform {
    /// With the chart, the overlays and the kinds of this clone, and a tag for its version.
    pub(crate) fn new() -> Self {
        let platform = Self(fleet::bare());
        platform.release(VERSION, |_| {});
        platform
    }

    /// Commits what this clone has, as `edit` changes it, and tags it.
    pub(crate) fn release(&self, version: &str, edit: impl FnOnce(&Path)) {
        let commit = fleet::pushed(self.0.path(), |clone| {
            for folder in ["charts", "crds", "kustomize"] {
                let _ = fs::remove_dir_all(clone.join(folder));
                let from = repository().join(folder);
                let copied = Command::new("cp").arg("-r").arg(from).arg(clone).status();
                assert!(copied.unwrap().success());
            }
            edit(clone);
        });
        fleet::git(self.0.path(), &["tag", version, &commit]);
    }

    /// Where Flux finds it.
    pub(crate) fn url(&self) -> String {
        flux::url(self.0.path())
    }
}
