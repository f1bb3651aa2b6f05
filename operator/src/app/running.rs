//! What has been started, to its end.

use std::net::SocketAddr;
use std::time::Duration;

use podid_runtime::{BoxError, Drain, LogSettings, Signals, Tasks, logging, process};

use crate::leader::Election;

/// An operator that runs.
#[derive(Debug)]
pub struct Running {
    pub(super) admin: SocketAddr,
    pub(super) tasks: Tasks,
    pub(super) drain: Drain,
    pub(super) drain_timeout: Duration,
    pub(super) election: Election,
}

/// Runs what `start` starts, until a signal or to its end.
///
/// # Errors
/// It could not start, a task of it ended, or another replica leads.
pub(super) async fn run_to_end(
    log: &LogSettings,
    start: impl AsyncFnOnce(Drain) -> Result<Running, BoxError>,
) -> Result<(), BoxError> {
    logging::init(log)?;
    process::forbid_dumps()?;
    let drain = Drain::new();
    let signals = Signals::install()?.forward_to(drain.clone());
    let mut running = start(drain).await?;
    running.tasks.background("signals", signals);
    running.finish().await
}

impl Running {
    /// The admin address really bound.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Runs until the drain, then lets another replica lead.
    ///
    /// # Errors
    /// The first task that ended unasked, or that failed while draining.
    pub async fn finish(self) -> Result<(), BoxError> {
        let ended = self.tasks.supervise(&self.drain, self.drain_timeout).await;
        // Every task has ended, so that nothing of this replica writes beside the next leader.
        self.election.release().await;
        Ok(ended?)
    }
}
