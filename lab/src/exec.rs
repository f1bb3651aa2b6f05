//! Runs one program in the lab as if it ran here: same terminal, same
//! directory, its exit code, signals passed on.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use crate::control::{self, ControlError, Request};
use crate::monitor::{MONITOR_FILE, MonitorInfo};
use crate::options::Target;
use crate::spec::{SPEC_FILE, Spec};
use crate::state::{StateDir, StateError};
use crate::targets::RunningTarget;

/// Signals that are passed on to the program.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Origin the kernel gives a signal that the terminal sent
/// (sigaction(2), `SI_KERNEL`): the program got it too.
const FROM_TERMINAL: i32 = 0x80;

/// Why a program was not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The state directory cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The lab's daemon did not name the target's process.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The lab's process namespace cannot be entered.
    #[error("cannot enter the lab; run this as root")]
    Enter(#[source] std::io::Error),
    /// The program did not start.
    #[error("cannot start a process in the lab")]
    Start(#[source] std::io::Error),
    /// Signals cannot be passed on.
    #[error("cannot pass on signals")]
    Signals(#[source] Errno),
}

/// Runs `argv` in `target` of the lab in `dir` and returns its exit code, or
/// 128 plus the number of the signal that ended it. Must be called by a
/// process of one thread.
pub fn exec(dir: &StateDir, target: &Target, argv: &[String]) -> Result<i32, ExecError> {
    let processes: MonitorInfo = dir.read_json(MONITOR_FILE)?;
    let running: RunningTarget =
        control::ask(&dir.control_socket(), &Request::Resolve(target.clone()))?;
    let signals = take_signals().map_err(ExecError::Signals)?;
    let spec: Spec = dir.read_json(SPEC_FILE)?;
    let path = search_path(&spec.tools.join("bin"));
    let mut child = start(&processes, &running, &path, argv)?;
    let status = wait(&mut child, &signals)?;
    Ok(status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

fn take_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    PASSED_ON.iter().for_each(|&signal| set.add(signal));
    set.add(Signal::SIGCHLD);
    set.thread_block()?;
    SignalFd::new(&set)
}

/// The caller's `PATH`, then the lab's own programs, kubectl among them.
fn search_path(tools: &Path) -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(tools);
    path
}

/// `/proc` directory of a target's process, as seen from the machine.
pub(crate) fn process_directory(processes: &MonitorInfo, running: &RunningTarget) -> PathBuf {
    PathBuf::from(format!(
        "/proc/{}/root/proc/{}",
        processes.init, running.pid
    ))
}

fn start(
    processes: &MonitorInfo,
    running: &RunningTarget,
    path: &OsStr,
    argv: &[String],
) -> Result<Child, ExecError> {
    let executable = std::env::current_exe().map_err(ExecError::Start)?;
    let process = process_directory(processes, running);
    let namespace = File::open(process.join("ns/pid")).map_err(ExecError::Enter)?;
    // Children of this process, not the process itself, are in it from now on.
    setns(namespace, CloneFlags::CLONE_NEWPID).map_err(|errno| ExecError::Enter(errno.into()))?;
    let mut command = Command::new(executable);
    // These variables say who the caller is in Azure. A pod's SDK that saw them
    // would sign in as the caller, for instance as the operator.
    for (name, _) in std::env::vars_os() {
        if name.as_bytes().starts_with(b"AZURE_") {
            command.env_remove(name);
        }
    }
    command
        .arg("enter")
        .arg("--process")
        .arg(process)
        .args(running.cgroup_flags())
        .arg("--")
        .args(argv)
        // The caller's kubeconfig names an address that only the machine reaches.
        .env_remove("KUBECONFIG")
        .env("PATH", path)
        .envs(&running.env)
        .spawn()
        .map_err(ExecError::Start)
}

fn wait(child: &mut Child, signals: &SignalFd) -> Result<ExitStatus, ExecError> {
    loop {
        if let Some(status) = child.try_wait().map_err(ExecError::Start)? {
            return Ok(status);
        }
        let Some(signal) = signals.read_signal().map_err(ExecError::Signals)? else {
            continue;
        };
        let number = signal.ssi_signo.cast_signed();
        match Signal::try_from(number) {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            Ok(_) if signal.ssi_code == FROM_TERMINAL => {}
            // It may have ended meanwhile, which the next turn sees.
            Ok(passed) => drop(kill(Pid::from_raw(child.id().cast_signed()), passed)),
        }
    }
}
