//! The objects that a folder of manifests declares, rendered offline as Flux would render it.
//!
//! | file | does |
//! |---|---|
//! | `manifest_tree` | the tree: paths and files in it, and what was rendered |
//! | `object` | an object, and where it is declared |
//! | `folder` | what of a folder Flux takes |
//! | `kustomization` | what a kustomization.yaml reaches, and that all of it is in the tree |
//! | `loaded` | that nothing else of the machine or of another host ends in it |
//! | `program` | runs the user's kustomize |
//! | `release` | what podid's chart makes of the values of a HelmRelease |
//! | `own_sources` | which of Flux's sources are the tree itself |
//! | `flux` | follows Flux's Kustomizations |
//! | `substitute` | post-build substitution |

mod error;
mod flux;
mod folder;
mod kustomization;
mod kustomize;
mod loaded;
mod manifest_tree;
mod object;
mod own_sources;
mod program;
mod release;
mod substitute;

use std::path::{Path, PathBuf};

pub(crate) use error::TreeError;
pub(crate) use kustomize::Kustomize;
pub(crate) use manifest_tree::{ManifestTree, Rendered};
pub(crate) use object::{DeclaredObject, Place, SourceFile, items};
pub(crate) use own_sources::OwnSources;

/// What of a folder is planned, each by itself.
#[derive(Debug)]
pub(crate) enum Clusters {
    /// All of it: it has no folders of clusters.
    Whole(PathBuf),
    /// The folder of each cluster.
    Each(Vec<PathBuf>),
}

impl Clusters {
    /// The folders.
    pub(crate) fn folders(self) -> Vec<PathBuf> {
        match self {
            Self::Whole(folder) => vec![folder],
            Self::Each(folders) => folders,
        }
    }
}

impl ManifestTree {
    /// The folders of the clusters, where `folder` holds some by Flux's convention `clusters/NAME`; else the
    /// folder itself. Relative to the root.
    pub(crate) fn clusters(&self, folder: &Path) -> Result<Clusters, TreeError> {
        let dir = self.inside(&self.root.join(folder))?;
        let clusters = dir.join("clusters");
        if kustomization::file_in(&dir).is_some() || !clusters.is_dir() {
            return Ok(Clusters::Whole(self.shown(&dir)));
        }
        let found = folder::entries(&clusters)?.into_iter();
        let found: Vec<PathBuf> = found
            .filter(|path| path.is_dir())
            .map(|path| self.shown(&path))
            .collect();
        Ok(if found.is_empty() {
            Clusters::Whole(self.shown(&dir))
        } else {
            Clusters::Each(found)
        })
    }

    /// Everything that `folder`, relative to the root, declares; Flux's Kustomizations in it are followed.
    /// `variables` count before those that the tree defines.
    pub(crate) fn render(
        &self,
        folder: &Path,
        variables: &[(String, String)],
    ) -> Result<Rendered, TreeError> {
        let dir = self.inside(&self.root.join(folder))?;
        flux::render(self, &dir, variables)
    }
}
