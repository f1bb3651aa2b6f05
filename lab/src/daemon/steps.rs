//! Steps of the start-up: each is reported to the waiting caller, has a time
//! limit, and fails with the log that explains it.

use std::future::Future;
use std::time::{Duration, Instant};

use super::supervise::Supervisor;
use crate::events::{self, Event};
use crate::state::StateDir;

/// Pause between two looks at a condition that cannot be watched.
const POLL_INTERVAL: Duration = Duration::from_millis(40);
/// Restarts during start-up after which a program is given up.
const TOO_MANY_RESTARTS: u32 = 3;

/// Why the lab did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A step failed.
    #[error("{part} failed")]
    Failed {
        /// The step.
        part: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A step took too long.
    #[error("{part} was not ready after {seconds} s; is the machine very busy?", seconds = limit.as_secs())]
    Slow {
        /// The step.
        part: String,
        /// Its limit.
        limit: Duration,
    },
    /// A program does not stay up.
    #[error("{0} keeps ending")]
    Crashing(String),
}

impl StepError {
    /// Wraps the error of the step called `part`.
    pub(crate) fn of<E>(part: &str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let part = part.to_owned();
        move |source| Self::Failed {
            part,
            source: source.into(),
        }
    }

    fn part(&self) -> &str {
        match self {
            Self::Failed { part, .. } | Self::Slow { part, .. } | Self::Crashing(part) => part,
        }
    }

    /// The last event of a lab that did not come up.
    pub(crate) fn event(&self, dir: &StateDir) -> Event {
        // A part that is a program has a log of its own name.
        let own = events::tail(&dir.log(self.part()), 15);
        let log = if own.is_empty() {
            events::tail(&dir.log("lab"), 15)
        } else {
            own
        };
        Event::Failed {
            message: events::chain(self),
            log,
        }
    }
}

/// Runs one step within `limit`.
pub(crate) async fn step<T, E>(
    part: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StepError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let started = Instant::now();
    events::emit(&Event::Waiting {
        part: part.to_owned(),
    });
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(StepError::Slow {
            part: part.to_owned(),
            limit,
        }),
        Ok(Err(error)) => Err(StepError::of(part)(error)),
        Ok(Ok(value)) => {
            events::emit(&Event::Ready {
                part: part.to_owned(),
                took: started.elapsed(),
            });
            Ok(value)
        }
    }
}

/// Waits until `probe` answers `true`, or fails when the program it probes keeps
/// ending. For what can only be polled, not watched.
pub(crate) async fn until<F>(
    supervisor: &Supervisor,
    program: &str,
    mut probe: impl FnMut() -> F,
) -> Result<(), StepError>
where
    F: Future<Output = bool>,
{
    while !probe().await {
        if supervisor.restarts(program) >= TOO_MANY_RESTARTS {
            return Err(StepError::Crashing(program.to_owned()));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
