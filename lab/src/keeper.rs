//! The one process of a lab in the machine's own namespaces. It starts the
//! lab's first process, waits, and removes what the kernel does not.
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

use crate::daemon::{self, Spec};
use crate::events::{self, Event};
use crate::state::{StateDir, StateError, StateLock};
use crate::{cgroup, hint, init};

/// File in the state directory that says which processes hold the lab.
pub const KEEPER_FILE: &str = "keeper.json";

/// Content of [`KEEPER_FILE`]; process numbers as the machine counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeeperInfo {
    /// The keeper itself.
    pub keeper: i32,
    /// The lab's first process.
    pub init: i32,
    /// The lab's cgroup.
    pub cgroup: PathBuf,
}

/// Why a lab could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Another process keeps it.
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

fn refused(action: &'static str) -> impl FnOnce(Errno) -> KeeperError {
    move |source| KeeperError::System { action, source }
}

/// What the caller writes to the keeper's standard input to let the lab live
/// on after it.
pub const RELEASE: &[u8] = b"k";

/// Keeps a lab until it is told to end (SIGTERM, SIGINT, SIGHUP), its first
/// process ends or, unless [`RELEASE`] was read from it, standard input does.
///
/// Failures are told on standard output, as [`Event::Failed`].
pub fn keep(spec: &Spec) -> Result<(), KeeperError> {
    let kept = keep_in_order(spec);
    if let Err(error) = &kept {
        let message = events::chain(error);
        events::emit(&Event::Failed {
            message,
            log: Vec::new(),
        });
    }
    kept
}

fn keep_in_order(spec: &Spec) -> Result<(), KeeperError> {
    let name = &spec.options.name;
    let dir = &StateDir::of(name)?;
    dir.create()?;
    let _lock = lock(name, dir)?;
    // What a killed keeper left of an earlier lab.
    dir.clear()?;
    dir.create()?;
    dir.write_json(daemon::SPEC_FILE, spec)?;
    // A session of its own: the terminal's Ctrl-C is for `up`, which asks.
    // It fails only for a process that leads one already.
    let _ = nix::unistd::setsid();
    let signals = watched_signals()?;
    let cgroup = cgroup::of_lab(name, dir)?;
    cgroup::remove(&cgroup)?;
    cgroup::create(&cgroup)?;

    let kept = start_init(dir, &cgroup).and_then(|mut init| {
        let info = KeeperInfo {
            keeper: std::process::id().cast_signed(),
            init: init.id().cast_signed(),
            cgroup: cgroup.clone(),
        };
        let told = dir
            .write_json(KEEPER_FILE, &info)
            .map_err(KeeperError::from);
        let waited = told.and_then(|_| wait(&mut init, &signals));
        // Killing a process namespace's first process kills all of it; waiting
        // for it waits for the last of them.
        let _ = init.kill();
        let _ = init.wait();
        waited
    });
    if let Ok(Ended::Itself) = kept {
        events::emit(&Event::Failed {
            message: "the lab's first process ended".to_owned(),
            log: events::tail(&dir.log("lab"), 20),
        });
    }
    cgroup::remove(&cgroup)?;
    dir.remove()?;
    kept.map(drop)
}

/// Takes the lab's lock. Whoever looks whether the lab runs holds it for an
/// instant, so a lock that is taken is tried again.
fn lock(name: &str, dir: &StateDir) -> Result<StateLock, KeeperError> {
    for _ in 0..20 {
        if let Some(lock) = dir.try_lock()? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(KeeperError::Running {
        name: name.to_owned(),
    })
}

/// How the wait ended.
enum Ended {
    /// Someone asked.
    Asked,
    /// Init ended first.
    Itself,
}

fn watched_signals() -> Result<SignalFd, KeeperError> {
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

fn start_init(dir: &StateDir, cgroup: &Path) -> Result<Child, KeeperError> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(refused("make a process namespace"))?;
    let log = File::create(dir.log("lab")).map_err(KeeperError::Init)?;
    let mut command = init::command(dir, cgroup);
    command
        .stdin(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(KeeperError::Init)
}

fn wait(init: &mut Child, signals: &SignalFd) -> Result<Ended, KeeperError> {
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
        let caller_stirs = watched.get(1).and_then(PollFd::any).unwrap_or(false);
        let signalled = watched[0].any().unwrap_or(false);
        if caller_stirs {
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
        if init.try_wait().map_err(KeeperError::Init)?.is_some() {
            return Ok(Ended::Itself);
        }
    }
}

/// The command that runs [`keep`], for `up`; `spec` is a [`Spec`] as JSON.
pub fn command(executable: &Path, spec: &str) -> Command {
    let mut command = Command::new(executable);
    command.args(["keeper", "--spec", spec]);
    command
}
