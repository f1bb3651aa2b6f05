//! Process 1 of the lab: makes the namespaces everything in it shares, starts
//! the daemon, and reaps what is orphaned. It does nothing that can fail
//! later, because its end is the end of the lab.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

use crate::cgroup::{self, CgroupError};
use crate::daemon;
use crate::state::StateDir;

/// Why init could not start the lab.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A system call was refused.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// The lab's cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The daemon did not start.
    #[error("cannot start the lab's daemon")]
    Daemon(#[source] std::io::Error),
    /// The monitor ended while init started.
    #[error("the monitor is gone")]
    Orphan,
}

fn refused(action: &'static str) -> impl FnOnce(Errno) -> InitError {
    move |source| InitError::System { action, source }
}

/// The command that runs [`run`], for the monitor.
pub fn command(dir: &StateDir, cgroup: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("podid-lab")
        .arg("init")
        .arg("--state")
        .arg(dir.path())
        .arg("--cgroup")
        .arg(cgroup);
    command
}

/// Runs the lab in `dir`; returns the exit code of its daemon. Must be the
/// first process of its process namespace.
pub fn run(dir: &StateDir, cgroup: &Path) -> Result<i32, InitError> {
    // Instead of `exe`, as which it was started; cosmetic, worth no failure.
    let _ = set_name(c"podid-lab");
    end_with_monitor()?;
    SigSet::empty()
        .thread_set_mask()
        .map_err(refused("unblock signals"))?;
    // In a cgroup of its own below the lab's: programs started by `exec` and
    // pods get theirs beside it.
    let home = cgroup.join("control-plane");
    cgroup::create(&home)?;
    cgroup::join(&home)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS)
        .map_err(refused("make mount, IPC and host name namespaces"))?;
    nix::unistd::sethostname("lab").map_err(refused("set the host name"))?;
    mount_private()?;
    let daemon = daemon::command(dir, cgroup)
        .spawn()
        .map_err(InitError::Daemon)?;
    reap_until(Pid::from_raw(daemon.id().cast_signed()))
}

/// Asks the kernel to end this process with the monitor. The monitor may have
/// ended before: then its end of standard input is closed.
fn end_with_monitor() -> Result<(), InitError> {
    set_pdeathsig(Signal::SIGKILL).map_err(refused("follow the monitor"))?;
    let stdin = std::io::stdin();
    let mut monitor = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut monitor, PollTimeout::ZERO).map_err(refused("look for the monitor"))?;
    if monitor[0].any().unwrap_or(true) {
        Err(InitError::Orphan)
    } else {
        Ok(())
    }
}

/// Cuts the mounts off from the machine's, then shows the lab's own processes.
fn mount_private() -> Result<(), InitError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(refused("make mounts private"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).map_err(refused("mount /proc"))
}

fn reap_until(daemon: Pid) -> Result<i32, InitError> {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == daemon => return Ok(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == daemon => {
                return Ok(128 + signal as i32);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(refused("wait for the daemon")(error)),
        }
    }
}
