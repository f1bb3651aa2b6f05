//! What can go wrong while the lab's network is built.

use std::path::{Path, PathBuf};

use super::PodRange;
use crate::cgroup::CgroupError;
use crate::sandbox::SandboxError;

/// An error of the lab's network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a change to links, addresses or routes.
    #[error("cannot {doing} (network namespace {}); the lab needs root", namespace.display())]
    Kernel {
        /// What was attempted, as an imperative phrase.
        doing: String,
        /// The namespace it was attempted in.
        namespace: PathBuf,
        /// The kernel's answer.
        #[source]
        source: nlink::netlink::Error,
    },
    /// A file that names a namespace cannot be opened.
    #[error("cannot open the network namespace {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A thread could not be moved into a namespace.
    #[error("cannot enter the network namespace {}; the lab needs root", path.display())]
    Enter {
        /// The file that names the namespace.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The work given to [`super::in_namespace`] panicked.
    #[error("the work inside network namespace {} panicked", .0.display())]
    Panicked(PathBuf),
    /// The process that keeps a node's namespaces did not start.
    #[error("cannot start node {node}")]
    Node {
        /// The node's name.
        node: String,
        /// Why not.
        #[source]
        source: SandboxError,
    },
    /// A node's cgroup could not be made.
    #[error("cannot make the cgroup {}; the lab needs root and a writable cgroup2", path.display())]
    Cgroup {
        /// Its directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A node has no cgroups for containers.
    #[error("cannot prepare node {node} for containers")]
    Hierarchies {
        /// The node's name.
        node: String,
        /// Why not.
        #[source]
        source: CgroupError,
    },
    /// The lab has no node of this name.
    #[error("the lab has no node {0}")]
    NoSuchNode(String),
    /// Every address of a node's pod range is in use.
    #[error("no free pod address in {0}: delete pods or give the lab more nodes")]
    AddressesExhausted(PodRange),
}

impl Error {
    /// Adds to a kernel error what was attempted, and where; for `map_err`.
    pub(super) fn kernel(
        doing: impl Into<String>,
        namespace: &Path,
    ) -> impl FnOnce(nlink::netlink::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Kernel {
            doing,
            namespace: namespace.to_owned(),
            source,
        }
    }
}
