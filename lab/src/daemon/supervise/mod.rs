//! The lab's programs: started, logged, started again.

mod error;
mod program;
mod restarts;
mod spawn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::{ProgramState, ProgramStatus};
use crate::state::StateDir;
use crate::targets::Targets;

pub use error::SuperviseError;
pub(super) use program::Program;

use restarts::{Supervised, running};
use spawn::Spawner;

struct Entry {
    component: bool,
    state: watch::Receiver<(ProgramState, u32)>,
    stop: CancellationToken,
}

/// All programs of a lab.
#[derive(Clone)]
pub(crate) struct Supervisor {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    spawner: Spawner,
}

impl Supervisor {
    pub(crate) fn new(targets: Targets, dir: StateDir) -> Self {
        Self {
            entries: Arc::default(),
            spawner: Spawner { targets, dir },
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
        let child = self.spawner.spawn(&program)?;
        let (report, state) = watch::channel((running(&child), 0));
        let stop = CancellationToken::new();
        let entry = Entry {
            component: program.component,
            state,
            stop: stop.clone(),
        };
        entries.insert(program.name.clone(), entry);
        tokio::spawn(
            Supervised {
                spawner: self.spawner.clone(),
                program,
                report,
                stop,
            }
            .run(child),
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
        // An error means that its task has ended, which is what is waited for.
        let _ = state
            .wait_for(|(state, _)| matches!(state, ProgramState::Ended { .. }))
            .await;
        Ok(())
    }

    /// Runs `program` once and forgets it; an error if it does not end well.
    pub(crate) async fn run_to_end(&self, program: Program) -> Result<(), SuperviseError> {
        let name = program.name.clone();
        self.start(program)?;
        let state = self.entries().get(&name).map(|entry| entry.state.clone());
        let Some(mut state) = state else {
            return Err(SuperviseError::Unknown(name));
        };
        let is_end = |(state, _): &(ProgramState, u32)| matches!(state, ProgramState::Ended { .. });
        let ended = match state.wait_for(is_end).await.as_deref() {
            Ok((ProgramState::Ended { how }, _)) => how.clone(),
            _ => "without a word".to_owned(),
        };
        self.entries().remove(&name);
        if ended == restarts::SUCCESS {
            return Ok(());
        }
        let last = crate::events::tail(&self.spawner.dir.log(&name), 1).join("");
        Err(SuperviseError::Failed { name, ended, last })
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

    /// The state of all programs, components first.
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
}

fn has_ended(state: &watch::Receiver<(ProgramState, u32)>) -> bool {
    matches!(state.borrow().0, ProgramState::Ended { .. })
}
