//! A program of this machine as the container of a pod: in the pod's namespaces and cgroup, with files, a user and
//! capabilities of its own, as far as that goes without an image.
//!
//! What it sees of the machine are the folders of programs and libraries, `/proc`, `/sys` and `/dev`; all else of
//! its root is empty but for the program and its volumes. It sees the processes of the whole lab.

mod root;

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::SigSet;
use serde::{Deserialize, Serialize};

use crate::cgroup::{self, CgroupError};

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
fn failed(action: impl Into<String>) -> impl FnOnce(Errno) -> ContainerError {
    let action = action.into();
    move |source| ContainerError::System { action, source }
}

/// The same of the standard library's calls.
fn io_failed(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> ContainerError {
    let failed = failed(action);
    move |error| failed(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

/// Becomes the program of a container. Must be called by a process of one thread; returns only on failure.
///
/// # Errors
///
/// When a part of the container cannot be had.
pub fn run(spec: &str) -> Result<Infallible, ContainerError> {
    let spec: ContainerProcess = serde_json::from_str(spec)?;
    join(&spec)?;
    root::enter(&spec)?;
    // The lab's daemon blocks signals that it waits for; that is inherited.
    let _ = SigSet::empty().thread_set_mask();
    let source = Command::new("setpriv")
        .args(privileges(&spec))
        .arg("--")
        .args(&spec.argv)
        .exec();
    Err(ContainerError::Setpriv(source))
}

fn join(spec: &ContainerProcess) -> Result<(), ContainerError> {
    let kinds = [
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    // All are opened first: after the mount namespace changed, `/proc` may show other processes.
    let mut opened = Vec::new();
    for (kind, flag) in kinds {
        let path = format!("/proc/{}/ns/{kind}", spec.pause);
        opened.push((
            kind,
            flag,
            File::open(&path).map_err(io_failed(format!("open {path}")))?,
        ));
    }
    cgroup::join(&spec.cgroup)?;
    for (kind, flag, file) in opened {
        setns(file, flag).map_err(failed(format!("enter the {kind} namespace of the pod")))?;
    }
    Ok(())
}

/// Arguments of setpriv.
fn privileges(spec: &ContainerProcess) -> Vec<String> {
    let mut arguments = vec![
        format!("--reuid={}", spec.user),
        format!("--regid={}", spec.group),
        "--clear-groups".to_owned(),
    ];
    if let Some(kept) = &spec.capabilities {
        // Of what is not in this set, no program that is started can have any: not even one of user 0.
        let kept: String = kept.iter().map(|name| format!(",+{name}")).collect();
        arguments.push(format!("--bounding-set=-all{kept}"));
        arguments.push("--inh-caps=-all".to_owned());
    }
    if spec.no_new_privileges {
        arguments.push("--no-new-privs".to_owned());
    }
    arguments
}
