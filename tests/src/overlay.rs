//! An overlay beside the lab's, as docs/install.md has readers make one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::programs::repository;

/// A copy of `kustomize` and `crds` in a folder that goes with this, with an overlay `mine`.
#[derive(Debug)]
pub struct LabWith {
    folder: tempfile::TempDir,
}

impl LabWith {
    /// The lab's overlay, and a component.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn component(name: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut copy = Command::new("cp");
        let from = [repository().join("kustomize"), repository().join("crds")];
        let copied = copy.arg("-r").args(from).arg(folder.path()).status()?;
        if !copied.success() {
            return Err(io::Error::other("the manifests cannot be copied"));
        }
        let overlay = Self { folder };
        fs::create_dir(overlay.path())?;
        let lines = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../lab]\n\
             components: [../components/{name}]\n"
        );
        fs::write(overlay.path().join("kustomization.yaml"), lines)?;
        Ok(overlay)
    }

    /// The folder in which the commands of the pages find the overlay as `kustomize/mine`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder for kustomize.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("kustomize/mine")
    }
}
