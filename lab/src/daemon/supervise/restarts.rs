//! One program, from its first start until it is stopped or ends for good.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::program::Program;
use super::spawn::Spawner;
use crate::control::ProgramState;

/// How long a program may take to end by itself once asked.
const GRACE: Duration = Duration::from_secs(10);
/// Pauses before restarts, one after the other; after a run longer than [`GRACE`] the first again.
const BACKOFF: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How a program ends that has done what it was to do.
pub(super) const SUCCESS: &str = "exit code 0";

/// A program that is supervised.
pub(super) struct Supervised {
    pub(super) spawner: Spawner,
    pub(super) program: Program,
    pub(super) report: watch::Sender<(ProgramState, u32)>,
    pub(super) stop: CancellationToken,
}

impl Supervised {
    /// Waits for each end and starts the program again, if it is to be restarted.
    pub(super) async fn run(self, first: Child) {
        let mut child = first;
        let mut waits = BACKOFF.iter();
        loop {
            let started = Instant::now();
            let how = tokio::select! {
                status = child.wait() => describe(status),
                () = self.stop.cancelled() => {
                    end(&mut child).await;
                    return self.ended("stopped".to_owned());
                }
            };
            tracing::info!(program = self.program.name, how, "a program ended");
            if !self.program.restart {
                return self.ended(how);
            }
            if started.elapsed() > GRACE {
                waits = BACKOFF.iter();
            }
            let wait = waits.next().copied().unwrap_or(BACKOFF[BACKOFF.len() - 1]);
            match self.again(wait).await {
                Some(next) => child = next,
                None => return self.ended("stopped".to_owned()),
            }
        }
    }

    /// Starts the program again, as often as that takes; `None` when stopped.
    async fn again(&self, mut wait: Duration) -> Option<Child> {
        self.report
            .send_modify(|(state, _)| *state = ProgramState::Restarting);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => return None,
            }
            match self.spawner.spawn(&self.program) {
                Ok(child) => {
                    self.report.send_modify(|(state, restarts)| {
                        *state = running(&child);
                        *restarts += 1;
                    });
                    return Some(child);
                }
                Err(error) => {
                    let why = crate::events::chain(&error);
                    tracing::warn!(program = self.program.name, why, "not started again");
                    wait = BACKOFF[BACKOFF.len() - 1];
                }
            }
        }
    }

    fn ended(self, how: String) {
        self.report
            .send_modify(|(state, _)| *state = ProgramState::Ended { how });
    }
}

pub(super) fn running(child: &Child) -> ProgramState {
    ProgramState::Running {
        pid: child.id().unwrap_or_default(),
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        },
        Err(error) => error.to_string(),
    }
}

/// Sends SIGTERM to the child and, after [`GRACE`], SIGKILL.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
