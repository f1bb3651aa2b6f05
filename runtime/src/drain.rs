//! Stopping in two stages.

use tokio_util::sync::CancellationToken;

/// Signals every part of a process when to stop. Clones share one state, which only moves forward:
/// running → draining → forced.
///
/// - **Draining**: accept nothing new, finish what is under way, then return.
/// - **Forced**: the time is up (or the user insisted); return now.
///
/// Who waits and for how long is decided by [`Tasks::supervise`](crate::Tasks::supervise).
#[derive(Clone, Debug, Default)]
pub struct Drain {
    draining: CancellationToken,
    forced: CancellationToken,
}

impl Drain {
    /// A process that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the first stage. Later calls do nothing.
    pub fn start(&self) {
        self.draining.cancel();
    }

    /// Begins the second stage, and the first if nobody had.
    pub fn force(&self) {
        self.draining.cancel();
        self.forced.cancel();
    }

    /// Whether the first stage has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Returns when the first stage begins; at once if it has.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Returns when the second stage begins; at once if it has.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_reach_every_clone_and_only_move_forward() {
        let drain = Drain::new();
        let other = drain.clone();
        assert!(!other.is_draining());
        drain.start();
        other.draining().await;
        assert!(!other.forced.is_cancelled(), "draining does not force");
        drain.force();
        drain.start();
        other.forced().await;
    }

    #[tokio::test]
    async fn forcing_a_running_process_drains_it_too() {
        let drain = Drain::new();
        drain.force();
        assert!(drain.is_draining());
    }
}
