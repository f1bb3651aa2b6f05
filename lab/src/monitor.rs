//! The one process of a lab that stays in the machine's own namespaces. It starts
//! the lab's first process, waits for its end, and then removes what the kernel
//! does not remove by itself.
//!
//! It stays single-threaded: after `unshare(CLONE_NEWPID)` the kernel refuses
//! new threads, and the parent-death signal of init belongs to the thread
//! that started it.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use serde::{Deserialize, Serialize};

use crate::events::{self, Event};
use crate::spec::{SPEC_FILE, Spec};
use crate::state::{StateDir, StateError, StateLock};
use crate::{cgroup, hint, init};

/// File in the state directory with a [`MonitorInfo`], as JSON.
pub const MONITOR_FILE: &str = "monitor.json";

/// Which processes the lab depends on; their numbers are those of the machine's
/// own process namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonitorInfo {
    /// The monitor.
    pub monitor: i32,
    /// The lab's first process.
    pub init: i32,
    /// The lab's cgroup.
    pub cgroup: PathBuf,
}

/// Why a lab could not be started or removed.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// Another monitor has started it.
    #[error(
        "lab {name} is up already; end it with `{}` or choose another --name",
        hint::for_lab("down", name)
    )]
    Running {
        /// The lab's name.
        name: String,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cgroup cannot be used.
    #[error(transparent)]
    Cgroup(#[from] cgroup::CgroupError),
    /// A system call was refused.
    #[error("cannot {action}; the lab needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: Errno,
    },
    /// The lab's first process did not start.
    #[error("cannot start the lab's first process")]
    Init(#[source] std::io::Error),
}

fn refused(action: &'static str) -> impl FnOnce(Errno) -> MonitorError {
    move |source| MonitorError::System { action, source }
}

/// What the caller writes to the monitor's standard input so that the lab
/// outlives the caller.
pub const RELEASE: &[u8] = b"k";

/// Runs a lab until a signal asks for its end (SIGTERM, SIGINT, SIGHUP), its
/// first process ends or, unless [`RELEASE`] was read from it, standard input is
/// closed.
///
/// Failures are reported on standard output, as [`Event::Failed`].
pub fn run(spec: &Spec) -> Result<(), MonitorError> {
    let result = start_and_wait(spec);
    if let Err(error) = &result {
        let message = events::chain(error);
        events::emit(&Event::Failed {
            message,
            log: Vec::new(),
        });
    }
    result
}

fn start_and_wait(spec: &Spec) -> Result<(), MonitorError> {
    let name = &spec.options.name;
    let dir = &StateDir::of(name)?;
    dir.create()?;
    let _lock = lock(name, dir)?;
    // An earlier monitor that was killed could not clean up.
    dir.clear()?;
    dir.create()?;
    dir.write_json(SPEC_FILE, spec)?;
    // A session of its own: the terminal's Ctrl-C is for `up`, which asks.
    // It fails only for a process that leads one already.
    let _ = nix::unistd::setsid();
    let signals = watched_signals()?;
    let cgroup = cgroup::of_lab(name, dir)?;
    cgroup::remove(&cgroup)?;
    cgroup::create(&cgroup)?;

    let result = run_init(dir, &cgroup, &signals);
    if let Ok(Ended::Init) = result {
        events::emit(&Event::Failed {
            message: "the lab's first process ended".to_owned(),
            log: events::tail(&dir.log("lab"), 20),
        });
    }
    cgroup::remove(&cgroup)?;
    dir.remove()?;
    result.map(drop)
}

/// Starts init, waits as [`wait`] does, and ends init.
fn run_init(dir: &StateDir, cgroup: &Path, signals: &SignalFd) -> Result<Ended, MonitorError> {
    let mut init = start_init(dir, cgroup)?;
    let info = MonitorInfo {
        monitor: std::process::id().cast_signed(),
        init: init.id().cast_signed(),
        cgroup: cgroup.to_owned(),
    };
    let written = dir.write_json(MONITOR_FILE, &info);
    let ended = written
        .map_err(MonitorError::from)
        .and_then(|_| wait(&mut init, signals));
    // Killing a process namespace's first process kills all of it; waiting for it waits for the
    // last of them.
    let _ = init.kill();
    let _ = init.wait();
    ended
}

/// Takes the lab's lock. A process that looks whether the lab runs holds it for a
/// moment, so a lock that is taken is tried again.
fn lock(name: &str, dir: &StateDir) -> Result<StateLock, MonitorError> {
    for _ in 0..20 {
        if let Some(lock) = dir.try_lock()? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(MonitorError::Running {
        name: name.to_owned(),
    })
}

/// How the wait ended.
enum Ended {
    /// A signal or the caller asked for it.
    Asked,
    /// Init ended first.
    Init,
}

fn watched_signals() -> Result<SignalFd, MonitorError> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ] {
        set.add(signal);
    }
    set.thread_block().map_err(refused("block signals"))?;
    SignalFd::new(&set).map_err(refused("watch signals"))
}

fn start_init(dir: &StateDir, cgroup: &Path) -> Result<Child, MonitorError> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(refused("make a process namespace"))?;
    let log = File::create(dir.log("lab")).map_err(MonitorError::Init)?;
    let mut command = init::command(dir, cgroup);
    command
        .stdin(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(MonitorError::Init)
}

fn wait(init: &mut Child, signals: &SignalFd) -> Result<Ended, MonitorError> {
    let mut stdin = std::io::stdin();
    let mut released = false;
    loop {
        let mut watched = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if !released {
            watched.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            other => other.map_err(refused("wait"))?,
        };
        let caller_acts = watched.get(1).and_then(PollFd::any).unwrap_or(false);
        let signalled = watched[0].any().unwrap_or(false);
        if caller_acts {
            let mut word = [0];
            released = stdin
                .read(&mut word)
                .is_ok_and(|length| word[..length] == *RELEASE);
            if !released {
                return Ok(Ended::Asked);
            }
        }
        if !signalled {
            continue;
        }
        match signals.read_signal().map_err(refused("read a signal"))? {
            Some(signal) if signal.ssi_signo != Signal::SIGCHLD as u32 => return Ok(Ended::Asked),
            _ => {}
        }
        if init.try_wait().map_err(MonitorError::Init)?.is_some() {
            return Ok(Ended::Init);
        }
    }
}

/// The command that runs [`run`], for `up`; `spec` is a [`Spec`] as JSON.
pub fn command(executable: &Path, spec: &str) -> Command {
    let mut command = Command::new(executable);
    command.args(["monitor", "--spec", spec]);
    command
}
