//! Time, which can be compressed.
//!
//! The date is always the real one, so that clients and simulator agree on `exp` and `nbf`. What
//! `speed` shortens is every *span*: token lifetimes, delays, asynchronous operations, lags,
//! `Retry-After`. With speed 60 a token of 24 hours says, and lives, 24 minutes.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The simulator's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    speed: f64,
}

impl Clock {
    /// A clock on which spans pass `speed` times as fast as on the wall; 0 and less count as 1.
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

    /// How long `seconds` of Azure's time take on the wall.
    pub(crate) fn span(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds.max(0.0) / self.speed).unwrap_or(Duration::MAX)
    }

    /// The same in whole seconds, rounded up: what `Retry-After` and token lifetimes say. Zero
    /// stays zero, anything else is at least one.
    pub(crate) fn whole_seconds(&self, seconds: f64) -> u64 {
        (seconds.max(0.0) / self.speed).ceil() as u64
    }

    /// Azure's seconds that pass while a client waits as [`Self::whole_seconds`] told it, at least
    /// one on the wall: rounding up makes it wait longer than the compressed span.
    pub(crate) fn waited(&self, seconds: f64) -> f64 {
        self.whole_seconds(seconds).max(1) as f64 * self.speed
    }

    /// Azure's seconds since `then`.
    pub(crate) fn age(&self, then: Instant) -> f64 {
        then.elapsed().as_secs_f64() * self.speed
    }
}

/// `2026-01-14T20:29:53.1234567Z`, ARM's form: seven digits of fraction.
pub(crate) fn arm_time(t: Timestamp) -> String {
    format!("{}0Z", t.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// `2026-01-14 20:29:53Z`, Entra's form.
pub(crate) fn entra_time(t: Timestamp) -> String {
    t.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `6/15/2026 8:22:51 AM`, the form in ARM's message about expired tokens.
pub(crate) fn us_time(t: Timestamp) -> String {
    t.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`, the form of HTTP headers.
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
    fn a_senseless_speed_is_the_real_one() {
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
