//! The clock, which can shorten spans of time.
//!
//! Dates are always real, so that clients and simulator agree on `exp` and `nbf`. `speed` divides
//! *spans*: token lifetimes, delays, asynchronous operations, lags, `Retry-After`. With speed 60 a
//! token of 24 hours states a lifetime of 24 minutes, and expires after them.
//!
//! "Azure's seconds" are seconds before this division: what Azure documents or what a fault says.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The clock of one simulator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    speed: f64,
}

impl Clock {
    /// A clock on which spans pass `speed` times as fast as in real time. A speed that is not a
    /// finite number above 0 counts as 1.
    pub(crate) fn new(speed: f64) -> Self {
        Self {
            speed: if speed.is_finite() && speed > 0.0 {
                speed
            } else {
                1.0
            },
        }
    }

    /// The real date.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Seconds since the epoch.
    pub(crate) fn epoch(&self) -> i64 {
        self.now().as_second()
    }

    /// How long `seconds` of Azure's take in real time.
    pub(crate) fn span(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.max(0.0) / self.speed).unwrap_or(Duration::MAX)
    }

    /// The same in whole seconds, rounded up, as `Retry-After` and token lifetimes state it. Only 0
    /// gives 0.
    pub(crate) fn whole_seconds(&self, seconds: f64) -> u64 {
        (seconds.max(0.0) / self.speed).ceil() as u64
    }

    /// Azure's seconds that pass while a client waits for [`Self::whole_seconds`], at least one real
    /// second. Because of the rounding this can be longer than `seconds`.
    pub(crate) fn waited(&self, seconds: f64) -> f64 {
        self.whole_seconds(seconds).max(1) as f64 * self.speed
    }

    /// Azure's seconds since `then`.
    pub(crate) fn age(&self, then: Instant) -> f64 {
        then.elapsed().as_secs_f64() * self.speed
    }
}

/// `2026-01-14T20:29:53.1234567Z`, ARM's format, with seven fractional digits.
pub(crate) fn arm_time(t: Timestamp) -> String {
    format!("{}0Z", t.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// `2026-01-14 20:29:53Z`, Entra's format.
pub(crate) fn entra_time(t: Timestamp) -> String {
    t.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `6/15/2026 8:22:51 AM`, the format in ARM's message about expired tokens.
pub(crate) fn us_time(t: Timestamp) -> String {
    t.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`, the format in HTTP headers.
pub(crate) fn http_time(t: Timestamp) -> String {
    t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_shrink_and_never_round_to_nothing() {
        let clock = Clock::new(60.0);
        assert_eq!(clock.span(60.0), Duration::from_secs(1));
        assert_eq!(clock.whole_seconds(7.0), 1);
        assert_eq!(clock.whole_seconds(0.0), 0);
        assert_eq!(clock.whole_seconds(86_400.0), 1440);
        assert_eq!(clock.waited(10.0), 60.0);
        assert_eq!(clock.waited(0.0), 60.0);
    }

    #[test]
    fn an_invalid_speed_counts_as_1() {
        for speed in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Clock::new(speed).whole_seconds(7.0), 7);
        }
    }

    #[test]
    fn dates_are_written_as_azure_writes_them() -> Result<(), jiff::Error> {
        let t: Timestamp = "2026-06-15T08:22:51.5Z".parse()?;
        assert_eq!(arm_time(t), "2026-06-15T08:22:51.5000000Z");
        assert_eq!(entra_time(t), "2026-06-15 08:22:51Z");
        assert_eq!(us_time(t), "6/15/2026 8:22:51 AM");
        assert_eq!(http_time(t), "Mon, 15 Jun 2026 08:22:51 GMT");
        Ok(())
    }
}
