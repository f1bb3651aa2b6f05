//! What can go wrong with cgroups.

use std::io;
use std::path::{Path, PathBuf};

/// Why a cgroup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// This machine has no cgroup2 mount.
    #[error("no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup")]
    NotMounted,
    /// A file operation failed.
    #[error("cannot {action} the cgroup {path}; is its file system writable here?", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which cgroup.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Neither version has what containers need.
    #[error(
        "containers need the controllers cpu, cpuset, memory and pids, and this machine's cgroup \
         version 1 lacks {lacking_1}, its version 2 lacks {lacking_2}; start it with cgroup version 2 \
         alone, or the lab with `--node-agent stand-in`, which works here"
    )]
    Controllers {
        /// What version 1 lacks.
        lacking_1: String,
        /// What version 2 lacks.
        lacking_2: String,
    },
    /// Processes did not end after they were killed.
    #[error("processes in the cgroup {path} do not end", path = path.display())]
    Busy {
        /// The cgroup.
        path: PathBuf,
    },
}

/// Adds to an error what was attempted on which cgroup; for `map_err`.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_owned();
    move |source| CgroupError::Io {
        action,
        path,
        source,
    }
}
