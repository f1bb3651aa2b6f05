//! Where commands can run now: the control plane, each node, each pod.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::options::Target;

/// What a command needs to enter a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTarget {
    /// Process, as numbered inside the lab, whose network, mount and host
    /// name namespaces the command joins.
    pub pid: u32,
    /// Directory of the cgroup (version 2) the command joins.
    pub cgroup: PathBuf,
    /// Directories of version 1 that the command joins besides.
    pub cgroups_v1: Vec<PathBuf>,
    /// Its address, where it has one.
    pub address: Option<IpAddr>,
    /// Environment set for the command, over the caller's.
    pub env: BTreeMap<String, String>,
}

impl RunningTarget {
    /// The flags by which a command joins its cgroups.
    pub(crate) fn cgroup_flags(&self) -> impl Iterator<Item = &OsStr> {
        let cgroups = std::iter::once(&self.cgroup).chain(&self.cgroups_v1);
        cgroups.flat_map(|path| [OsStr::new("--cgroup"), path.as_os_str()])
    }
}

/// The registry of running targets, written by `net` and `kubelet`, read by `exec`.
#[derive(Clone, Debug, Default)]
pub struct Targets(Arc<RwLock<BTreeMap<Target, RunningTarget>>>);

impl Targets {
    /// Registers `target`, replacing what was known of it.
    pub fn insert(&self, target: Target, running: RunningTarget) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(target, running);
    }

    /// Forgets `target`.
    pub fn remove(&self, target: &Target) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(target);
    }

    /// What `target` is now; `None` while it is not running.
    pub fn get(&self, target: &Target) -> Option<RunningTarget> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(target)
            .cloned()
    }

    /// All that run now, in order.
    pub fn list(&self) -> Vec<(Target, RunningTarget)> {
        let running = self.0.read().unwrap_or_else(PoisonError::into_inner);
        running
            .iter()
            .map(|(target, running)| (target.clone(), running.clone()))
            .collect()
    }
}
