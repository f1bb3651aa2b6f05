//! Clocks, for rules that go by [`Moment`]s: tokio's, by which the operator waits, and the machine's, by which it
//! leads.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
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

/// The time since the machine was started. It goes on while the process is stopped and while the machine is suspended,
/// during which tokio's clock may stand still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootClock(fn() -> Moment);

impl BootClock {
    /// Any clock in its place; for tests.
    #[cfg(test)]
    pub(crate) fn fake(now: fn() -> Moment) -> Self {
        Self(now)
    }

    pub(crate) fn now(self) -> Moment {
        (self.0)()
    }
}

impl Default for BootClock {
    fn default() -> Self {
        Self(since_boot)
    }
}

/// The end of all time where the kernel has no such clock: whatever has an end is over then.
fn since_boot() -> Moment {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from);
    Moment::after_start(now.unwrap_or(Duration::MAX))
}
