//! A program of this machine as the container of a pod: in the pod's namespaces and cgroup, with files, a user and
//! capabilities of its own, as far as that goes without an image.
//!
//! What it sees of the machine are the folders of programs and libraries, `/proc`, `/sys` and `/dev`; all else of
//! its root is empty but for the program and its volumes. It sees the processes of the whole lab.

mod process;
mod root;

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::SigSet;

use crate::cgroup;

use process::{failed, io_failed};

pub use process::{ContainerError, ContainerProcess, Mount};

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
