//! What a container is started with, and why it does not start.

use std::path::PathBuf;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::cgroup::CgroupError;

/// What a container is started with; its environment is that of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerProcess {
    /// Process whose namespaces it joins: the pod's `pause`.
    pub pause: u32,
    /// Directory of the cgroup it joins.
    pub cgroup: PathBuf,
    /// The program on this machine.
    pub program: PathBuf,
    /// Its path in the container.
    pub path: PathBuf,
    /// What is run: a program of the container, and its arguments.
    pub argv: Vec<String>,
    /// An empty folder, over which the container's root is mounted.
    pub root: PathBuf,
    /// What is mounted there besides.
    pub mounts: Vec<Mount>,
    /// User it runs as.
    pub user: u32,
    /// Group it runs as.
    pub group: u32,
    /// Capabilities that it may have, such as `net_admin`; all of them when there is none.
    pub capabilities: Option<Vec<String>>,
    /// Whether it can get no rights that it does not have.
    pub no_new_privileges: bool,
    /// Whether its root cannot be written.
    pub read_only_root: bool,
}

/// A file or folder of this machine in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Its path on this machine.
    pub source: PathBuf,
    /// Its path in the container.
    pub target: PathBuf,
    /// Whether the container cannot write it.
    pub read_only: bool,
}

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Its argument is not a [`ContainerProcess`].
    #[error("not the description of a container")]
    Spec(#[from] serde_json::Error),
    /// Its cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A system call was refused.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// The program that sets user and capabilities cannot be run.
    #[error("cannot run setpriv (of util-linux)")]
    Setpriv(#[source] std::io::Error),
}

/// Adds to a refused system call what was tried; for `map_err`.
pub(super) fn failed(action: impl Into<String>) -> impl FnOnce(Errno) -> ContainerError {
    let action = action.into();
    move |source| ContainerError::System { action, source }
}

/// The same of the standard library's calls.
pub(super) fn io_failed(
    action: impl Into<String>,
) -> impl FnOnce(std::io::Error) -> ContainerError {
    let failed = failed(action);
    move |error| failed(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}
