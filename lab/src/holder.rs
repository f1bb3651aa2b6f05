//! Processes that do nothing but hold namespaces open, as `pause` does for a
//! pod.

use std::path::PathBuf;

/// What a holder is started with.
#[derive(Clone, Debug)]
pub struct HolderSpec {
    /// Name shown by `ps`, for people: `pause` or `node`.
    pub title: String,
    /// Host name inside.
    pub hostname: String,
    /// Directory of the cgroup it joins before it starts; must exist.
    pub cgroup: PathBuf,
    /// Files or directories (first) bound over existing paths (second) in its
    /// mount namespace.
    pub binds: Vec<(PathBuf, PathBuf)>,
}

/// A running process with its own network, mount and host name namespaces.
/// Dropping it kills it.
#[derive(Debug)]
pub struct Holder {
    child: tokio::process::Child,
    pid: u32,
}

/// Why a holder did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the process that holds the namespaces of {hostname}: {reason}")]
pub struct HolderError {
    hostname: String,
    reason: String,
    #[source]
    source: Option<std::io::Error>,
}

impl Holder {
    /// Starts one and waits until its namespaces are ready: loopback is up,
    /// binds are in place. `/proc/PID/ns/net` may then be moved links into.
    pub async fn start(spec: HolderSpec) -> Result<Self, HolderError> {
        let _ = spec;
        Err(HolderError { hostname: String::new(), reason: String::new(), source: None })
    }

    /// Its process, as numbered in the process namespace of the caller.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills it and waits until it is gone.
    pub async fn stop(mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill().await;
    }
}
