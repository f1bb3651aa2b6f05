//! The Go programs of the lab: built once from pinned modules into a cache
//! outside the clone.
//!
//! Each group of programs has a go.mod of its own, because their requirements
//! conflict, and is built only when somebody asks for it. A built group is in a
//! directory named by the hash of all its inputs, including Go's version; a link
//! whose name does not depend on Go leads to it. A **toolset** is a directory of
//! links to the groups that a command uses: when their builds are there, it is
//! found or made with any Go on the machine, or none.
//!
//! Go's own build cache is used for what it holds, compiled packages, but does
//! not replace this one: it can be asked only through a Go, and only one of the
//! version that filled it; it removes what was not used for five days; and the
//! programs would be linked anew, 20 s and more, in every clone. Here a complete
//! toolset costs a few file lookups.

mod build;
mod cache;
mod debian;
mod definitions;
mod error;
mod go;
mod groups;
mod kubernetes;
mod nft;
mod progress;
mod seccomp;
mod selection;
mod space;

use std::path::{Path, PathBuf};

pub use cache::{CacheError, root as cache_root};
pub use error::ToolsError;
pub use go::GoError;
pub use groups::ToolGroup;
pub use space::DiskFull;

use cache::Cache;
use selection::Selection;

/// Built programs and definitions, ready to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolset(PathBuf);

impl Toolset {
    /// The toolset in `path`, as another process found it.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory, with `bin` in it, and `crds` when a Flux controller was asked for.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The program called `name`.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// The etcd server.
    pub fn etcd(&self) -> PathBuf {
        self.bin("etcd")
    }

    /// The Kubernetes API server.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.bin("kube-apiserver")
    }

    /// Flux's custom resource definitions, one file per kind.
    pub fn crds(&self) -> PathBuf {
        self.0.join("crds")
    }
}

/// Returns a toolset with the programs of `groups`, building what is missing.
/// `KUBEBUILDER_ASSETS` is asked first for what it usually holds: etcd,
/// kube-apiserver, kubectl.
///
/// Tells on standard error what is built. Another process that builds is
/// waited for.
pub fn ensure(groups: &[ToolGroup]) -> Result<Toolset, ToolsError> {
    let selection = Selection::of(groups)?;
    let cache = Cache::open()?;
    let set = cache.dir(&selection.name());
    if !selection.is_whole(&set) {
        selection.complete(&cache)?;
    }
    Ok(Toolset(set))
}
