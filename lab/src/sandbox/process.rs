//! What the processes of a sandbox have in common: how they say that they are ready, and why they end.

use std::io::Write;

use nix::errno::Errno;

use crate::cgroup;

/// What a sandbox writes when it is ready, before the number of its process.
pub(super) const READY: &str = "ready";

/// Says to the process that waits for it that this sandbox is ready.
pub(super) fn announce(pid: u32) {
    let mut stdout = std::io::stdout().lock();
    // A parent that does not read any more has given up on this process and
    // will kill it.
    let _ = writeln!(stdout, "{READY} {pid}").and_then(|()| stdout.flush());
}

/// Why the process of a sandbox ends.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its argument is not a [`SandboxSpec`].
    #[error("not the description of a sandbox")]
    Spec(#[from] serde_json::Error),
    /// Its cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] cgroup::CgroupError),
    /// A system call was refused.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// The first process among those of its own did not start, or failed.
    #[error("{0}")]
    First(String),
}

/// Adds to a refused system call what was tried; for `map_err`.
pub(super) fn failed(action: impl Into<String>) -> impl FnOnce(Errno) -> ProcessError {
    let action = action.into();
    move |source| ProcessError::System { action, source }
}
