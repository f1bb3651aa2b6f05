//! The lab's programs: started, logged, started again.

mod error;
mod life;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::{ProgramState, ProgramStatus};
use crate::options::Target;
use crate::places::Places;
use crate::state::StateDir;

pub use error::SuperviseError;
use life::{Life, running};

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// Part of the lab, not started by a caller.
    pub(crate) component: bool,
    /// Where; the daemon's own namespaces when it is the control plane.
    pub(crate) target: Target,
    pub(crate) argv: Vec<String>,
    /// All of its environment.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) restart: bool,
}

struct Entry {
    component: bool,
    state: watch::Receiver<(ProgramState, u32)>,
    stop: CancellationToken,
}

/// All programs of a lab.
#[derive(Clone)]
pub(crate) struct Supervisor {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    places: Places,
    dir: StateDir,
}

impl Supervisor {
    pub(crate) fn new(places: Places, dir: StateDir) -> Self {
        Self {
            entries: Arc::default(),
            places,
            dir,
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts `program`; its first start has happened when this returns.
    pub(crate) fn start(&self, program: Program) -> Result<(), SuperviseError> {
        let mut entries = self.entries();
        if entries
            .get(&program.name)
            .is_some_and(|entry| !has_ended(&entry.state))
        {
            return Err(SuperviseError::Taken(program.name));
        }
        let child = self.spawn(&program)?;
        let (report, state) = watch::channel((running(&child), 0));
        let stop = CancellationToken::new();
        let entry = Entry {
            component: program.component,
            state,
            stop: stop.clone(),
        };
        entries.insert(program.name.clone(), entry);
        tokio::spawn(
            Life {
                supervisor: self.clone(),
                program,
                report,
                stop,
            }
            .live(child),
        );
        Ok(())
    }

    /// Ends the program called `name` and forgets it.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), SuperviseError> {
        let Some(entry) = self.entries().remove(name) else {
            return Err(SuperviseError::Unknown(name.to_owned()));
        };
        entry.stop.cancel();
        let mut state = entry.state;
        // An error means that the life ended, which is what is waited for.
        let _ = state
            .wait_for(|(state, _)| matches!(state, ProgramState::Ended { .. }))
            .await;
        Ok(())
    }

    /// Sends `signal` to the program called `name`.
    pub(crate) fn signal(&self, name: &str, signal: i32) -> Result<(), SuperviseError> {
        let entries = self.entries();
        let entry = entries
            .get(name)
            .ok_or_else(|| SuperviseError::Unknown(name.to_owned()))?;
        let ProgramState::Running { pid } = entry.state.borrow().0 else {
            return Err(SuperviseError::NotRunning(name.to_owned()));
        };
        let refused = |source| SuperviseError::Signal {
            name: name.to_owned(),
            signal,
            source,
        };
        let known = Signal::try_from(signal).map_err(refused)?;
        kill(Pid::from_raw(pid.cast_signed()), known).map_err(refused)
    }

    /// How all programs do, components first.
    pub(crate) fn status(&self) -> Vec<ProgramStatus> {
        let entries = self.entries();
        let mut all: Vec<_> = entries
            .iter()
            .map(|(name, entry)| {
                let (state, restarts) = entry.state.borrow().clone();
                ProgramStatus {
                    name: name.clone(),
                    component: entry.component,
                    state,
                    restarts,
                }
            })
            .collect();
        all.sort_by_key(|program| !program.component);
        all
    }

    /// How often the program called `name` was started again.
    pub(crate) fn restarts(&self, name: &str) -> u32 {
        self.entries()
            .get(name)
            .map_or(0, |entry| entry.state.borrow().1)
    }

    fn spawn(&self, program: &Program) -> Result<Child, SuperviseError> {
        let log = self.open_log(&program.name)?;
        let also = log.try_clone().map_err(|source| SuperviseError::Log {
            path: self.dir.log(&program.name),
            source,
        })?;
        self.command(program)?
            .env_clear()
            .envs(&program.env)
            .current_dir(&program.cwd)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(|source| SuperviseError::Spawn {
                name: program.name.clone(),
                program: program.argv.first().cloned().unwrap_or_default(),
                source,
            })
    }

    fn command(&self, program: &Program) -> Result<Command, SuperviseError> {
        if program.target == Target::ControlPlane {
            let mut command = Command::new(program.argv.first().map_or("", String::as_str));
            command.args(program.argv.iter().skip(1));
            return Ok(command);
        }
        let place = self
            .places
            .get(&program.target)
            .ok_or_else(|| SuperviseError::NoPlace(program.target.clone()))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("enter")
            .arg("--process")
            .arg(format!("/proc/{}", place.pid))
            .arg("--cgroup")
            .arg(&place.cgroup)
            .arg("--")
            .args(&program.argv);
        Ok(command)
    }

    fn open_log(&self, name: &str) -> Result<File, SuperviseError> {
        let path = self.dir.log(name);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| SuperviseError::Log { path, source })
    }
}

fn has_ended(state: &watch::Receiver<(ProgramState, u32)>) -> bool {
    matches!(state.borrow().0, ProgramState::Ended { .. })
}
