//! How long a token is alive, by two clocks.

use std::time::Duration;

use serde::Serialize;

use crate::moment::Moment;

/// Longest time for which a token is kept, whatever its issuer says: tokens of managed identities live for a day.
pub const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Both clocks at one time. The monotonic one never goes back, but stands still while a VM is suspended; the other
/// one goes on, but is set by people and by NTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClockReading {
    /// By the monotonic clock.
    pub now: Moment,
    /// Seconds since 1970, by the clock that can be set.
    pub unix: u64,
}

/// What the issuer says about the end of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StatedLifetime {
    /// Seconds left when it was issued.
    pub expires_in: u64,
    /// End, in seconds since 1970.
    pub expires_on: u64,
}

/// From when until when a token is alive. It has ended as soon as either clock says so: a clock that was set can
/// shorten its life, and never lengthen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokenLifetime {
    obtained: Moment,
    ends: Moment,
    expires_on: u64,
}

impl TokenLifetime {
    /// Of a token that was asked for at this reading, or later.
    #[must_use]
    pub fn new(stated: StatedLifetime, asked: ClockReading) -> Self {
        let life = Duration::from_secs(stated.expires_in).min(KEPT_MAX);
        Self {
            obtained: asked.now,
            ends: asked.now + life,
            expires_on: stated.expires_on,
        }
    }

    /// How long the token is still alive; zero once it has ended.
    #[must_use]
    pub fn left(&self, at: ClockReading) -> Duration {
        let monotonic = self
            .ends
            .saturating_duration_since(at.now)
            .min(self.whole());
        let set = Duration::from_secs(self.expires_on.saturating_sub(at.unix));
        monotonic.min(set)
    }

    /// How long ago the token was obtained.
    #[must_use]
    pub fn age(&self, at: ClockReading) -> Duration {
        at.now.saturating_duration_since(self.obtained)
    }

    /// When it was obtained.
    pub(super) fn obtained(&self) -> Moment {
        self.obtained
    }

    /// From when it was obtained to its end by the monotonic clock.
    pub(super) fn whole(&self) -> Duration {
        self.ends.saturating_duration_since(self.obtained)
    }
}
