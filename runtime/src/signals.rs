//! SIGTERM and SIGINT.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::drain::Drain;

/// The operating system refused a signal handler.
#[derive(Debug, thiserror::Error)]
#[error("cannot install the handler for {name}")]
pub struct SignalError {
    name: &'static str,
    source: std::io::Error,
}

/// The two signals that end a daemon, caught from the moment of [`Signals::install`].
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn install() -> Result<Self, SignalError> {
        let catch = |kind, name| signal(kind).map_err(|source| SignalError { name, source });
        Ok(Self {
            terminate: catch(SignalKind::terminate(), "SIGTERM")?,
            interrupt: catch(SignalKind::interrupt(), "SIGINT")?,
        })
    }

    /// The first signal starts the drain, the second forces it. Never returns: run it as a
    /// background task.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn forward_to(mut self, drain: Drain) -> Result<(), Infallible> {
        let signal = self.next().await;
        tracing::info!(signal, "stopping; once more to stop at once");
        drain.start();
        let signal = self.next().await;
        tracing::warn!(signal, "stopping at once");
        drain.force();
        std::future::pending().await
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
