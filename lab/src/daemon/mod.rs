//! The lab itself: every part of it that is not a program of its own runs in
//! this process, which also supervises the programs.
//!
//! [`run`] starts it; the steps of the start-up are in `start`, in order.

mod bootstrap;
mod cloud;
mod cluster;
mod control_server;
mod environment;
mod error;
mod forward;
mod infrastructure;
mod listeners;
mod mounts;
mod node_agent;
mod parts;
mod pki;
mod programs;
mod requests;
mod start;
mod steps;
mod supervise;
mod truststore;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use crate::events;
use crate::spec::{SPEC_FILE, Spec};
use crate::state::StateDir;

pub use cloud::CloudError;
pub use error::DaemonError;
pub use mounts::MountError;
pub use steps::StepError;
pub use supervise::SuperviseError;

use listeners::HostListeners;

/// The command that runs [`run`], for init.
pub fn command(dir: &StateDir, cgroup: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("podid-lab")
        .arg("daemon")
        .arg("--state")
        .arg(dir.path())
        .arg("--cgroup")
        .arg(cgroup);
    command.stdin(Stdio::null());
    command
}

/// Runs the lab kept in `dir` until a part ends without which it is of no use. Must be
/// called by a process of one thread, in the lab's mount and process
/// namespaces and the machine's network namespace.
pub fn run(dir: &StateDir, cgroup: &Path) -> Result<(), DaemonError> {
    let result = start(dir, cgroup);
    if let Err(error) = &result {
        let event = match error {
            DaemonError::Step(step) => step.event(dir),
            other => events::Event::Failed {
                message: events::chain(other),
                log: Vec::new(),
            },
        };
        events::emit(&event);
        tracing::error!(error = events::chain(error), "the lab ends");
    }
    result
}

fn start(dir: &StateDir, cgroup: &Path) -> Result<(), DaemonError> {
    // Cosmetic, so that `ps` shows it: worth no failure.
    let _ = nix::sys::prctl::set_name(c"podid-lab");
    let spec: Spec = dir.read_json(SPEC_FILE)?;
    let listeners = HostListeners::open().map_err(DaemonError::Loopback)?;
    // Sockets keep the namespace they were made in; threads started from here
    // on live in the lab's.
    unshare(CloneFlags::CLONE_NEWNET).map_err(DaemonError::Namespace)?;
    mounts::mount_etcd_memory(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    runtime.block_on(start::serve(dir, cgroup, spec, listeners))
}
