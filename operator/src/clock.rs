//! tokio's clock, for rules that go by [`Moment`]s.

use podid_core::moment::Moment;
use tokio::time::Instant;

/// A clock whose moments are counted from its start. Copies have the same start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock(Instant);

impl MonotonicClock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Moment {
        Moment::after_start(self.0.elapsed())
    }

    /// What tokio's timers take for a moment of this clock.
    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.0 + moment.since_start()
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::start()
    }
}
