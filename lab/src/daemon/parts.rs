//! Parts of the daemon that must not end. When one does, all of it does.

use tokio::sync::mpsc;

use super::error::DaemonError;
use crate::events;

/// Starts parts.
pub(super) struct Parts(mpsc::UnboundedSender<DaemonError>);

/// Yields the first part that ended.
pub(super) struct Ending(mpsc::UnboundedReceiver<DaemonError>);

impl Parts {
    pub(super) fn new() -> (Self, Ending) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Ending(receiver))
    }

    /// Runs `work`, which is called `part` when it ends.
    pub(super) fn run<E: std::error::Error + Send + 'static>(
        &self,
        part: &'static str,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let working = tokio::spawn(work);
        let ended = self.0.clone();
        tokio::spawn(async move {
            let why = match working.await {
                Ok(Ok(())) => String::new(),
                Ok(Err(error)) => format!(": {}", events::chain(&error)),
                Err(panic) => format!(": {panic}"),
            };
            // The receiver is gone when another part has ended before.
            let _ = ended.send(DaemonError::Ended { part, why });
        });
    }
}

impl Ending {
    /// Waits until a part ends.
    pub(super) async fn first(&mut self) -> DaemonError {
        let nothing = DaemonError::Ended {
            part: "the lab",
            why: String::new(),
        };
        self.0.recv().await.unwrap_or(nothing)
    }
}
