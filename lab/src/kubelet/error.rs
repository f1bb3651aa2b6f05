//! What can go wrong with nodes and with the sandboxes of pods.

use std::path::PathBuf;

use crate::cgroup::CgroupError;
use crate::net;
use crate::sandbox::SandboxError;

/// Why the kubelets ended.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// The API server did not take a node.
    #[error("cannot register node {node}")]
    Register {
        /// The node's name.
        node: String,
        /// The API server's answer.
        #[source]
        source: kube::Error,
    },
    /// The watch of a node's pods cannot be resumed.
    #[error("the watch of the pods of node {0} ended for good; start the lab again")]
    WatchEnded(String),
    /// The fabric has no such node.
    #[error(transparent)]
    Network(#[from] net::Error),
}

/// Why a pod's sandbox could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PodSandboxError {
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(transparent)]
    Process(#[from] SandboxError),
    #[error(transparent)]
    Network(#[from] net::Error),
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}
