//! How long to wait before something that failed is tried again: longer after each failure, with a random
//! part so that two callers that failed together do not retry together.
//!
//! All functions are pure: the random part comes in as a [`Jitter`]. The crate `backon` is not used for
//! this, because its iterators count the attempts themselves, draw from a generator of their own and are
//! made to wrap a future that is repeated. Here the count is part of a state that is kept between
//! events, a person may shorten a wait, Azure's `Retry-After` may lengthen it, and a test history has to
//! be repeatable from its seed.

use std::time::Duration;

/// A random number from 0 up to 1, given by the caller.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Jitter(f64);

impl Jitter {
    /// No random part: the shortest of the possible waits.
    pub const NONE: Self = Self(0.0);

    /// Numbers outside 0..=1 are moved to the nearer end, and what is no number to 0.
    #[must_use]
    pub fn new(unit: f64) -> Self {
        // `clamp` would let through what is no number.
        Self(if unit.is_nan() {
            0.0
        } else {
            unit.clamp(0.0, 1.0)
        })
    }

    /// The number, from 0 to 1.
    pub(crate) fn unit(self) -> f64 {
        self.0
    }
}

/// A generator of [`Jitter`] whose numbers follow from its seed (SplitMix64). It is not fit for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JitterSource(u64);

impl JitterSource {
    /// A generator; equal seeds give equal sequences.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of 64 random bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// The next jitter.
    pub fn next_jitter(&mut self) -> Jitter {
        let high = u32::try_from(self.next_bits() >> 32).unwrap_or_default();
        Jitter(f64::from(high) / f64::from(u32::MAX))
    }
}

/// Waits that double with each failure up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits from `first` (after the first failure) up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The wait after this number of failures in a row (from 1): between half of the doubled wait and
    /// all of it.
    #[must_use]
    pub fn wait(self, failures: u32, jitter: Jitter) -> Duration {
        self.full_wait(failures).mul_f64(0.5 + jitter.0 / 2.0)
    }

    /// The same wait, or what Azure asked for if that is longer. The random part is added to what Azure
    /// asked for and never taken off: a call before that time would be refused again.
    #[must_use]
    pub fn wait_at_least(self, failures: u32, asked: Option<Duration>, jitter: Jitter) -> Duration {
        let own = self.wait(failures, jitter);
        own.max(asked.map_or(Duration::ZERO, |asked| lengthened(asked, jitter)))
    }

    /// All of the doubled wait, or what Azure asked for if that is longer, and up to a fifth more.
    #[must_use]
    pub fn full_wait_at_least(
        self,
        failures: u32,
        asked: Option<Duration>,
        jitter: Jitter,
    ) -> Duration {
        let full = self.full_wait(failures).max(asked.unwrap_or_default());
        full.mul_f64(1.0 + jitter.0 / 5.0)
    }

    /// The doubled wait without a random part.
    #[must_use]
    pub fn full_wait(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// `duration` and up to a tenth more.
#[must_use]
pub fn lengthened(duration: Duration, jitter: Jitter) -> Duration {
    duration.mul_f64(1.0 + jitter.0 / 10.0)
}

/// `interval`, up to a tenth shorter or longer, so that objects made together do not stay in step.
#[must_use]
pub fn around(interval: Duration, jitter: Jitter) -> Duration {
    interval.mul_f64(0.9 + jitter.0 / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BACKOFF: Backoff = Backoff::new(SECOND, Duration::from_secs(60));

    #[test]
    fn waits_double_within_limits() {
        for (failures, full) in [(0, 1), (1, 1), (2, 2), (5, 16), (7, 60), (u32::MAX, 60)] {
            let full = Duration::from_secs(full);
            assert_eq!(BACKOFF.full_wait(failures), full);
            assert_eq!(BACKOFF.wait(failures, Jitter::NONE), full / 2);
            assert_eq!(BACKOFF.wait(failures, Jitter::new(1.0)), full, "{failures}");
        }
    }

    #[test]
    fn a_wait_is_never_shorter_than_azure_asked() {
        let asked = Duration::from_secs(120);
        let wait = |failures, jitter| BACKOFF.wait_at_least(failures, Some(asked), jitter);
        assert_eq!(wait(1, Jitter::NONE), asked);
        assert_eq!(wait(1, Jitter::new(1.0)), Duration::from_secs(132));
        let short = BACKOFF.wait_at_least(7, Some(SECOND), Jitter::new(1.0));
        assert_eq!(short, Duration::from_secs(60));
        assert_eq!(BACKOFF.wait_at_least(1, None, Jitter::NONE), SECOND / 2);
    }

    #[test]
    fn a_full_wait_is_lengthened_only() {
        let wait = |failures, asked, jitter| BACKOFF.full_wait_at_least(failures, asked, jitter);
        for (failures, full) in [(0, 1), (1, 1), (2, 2), (3, 4), (7, 60), (u32::MAX, 60)] {
            let full = Duration::from_secs(full);
            assert_eq!(wait(failures, None, Jitter::NONE), full);
            assert_eq!(wait(failures, None, Jitter::new(1.0)), full * 6 / 5);
        }
        let asked = Some(100 * SECOND);
        assert_eq!(wait(1, asked, Jitter::NONE), 100 * SECOND);
        assert_eq!(wait(1, asked, Jitter::new(1.0)), 120 * SECOND);
    }

    #[test]
    fn jitter_lies_between_its_ends_whatever_is_given() {
        for (given, kept) in [(-1.0, 0.0), (2.0, 1.0), (0.5, 0.5), (f64::NAN, 0.0)] {
            assert_eq!(Jitter::new(given), Jitter(kept));
        }
        assert_eq!(lengthened(SECOND, Jitter::NONE), SECOND);
        assert_eq!(lengthened(10 * SECOND, Jitter::new(1.0)), 11 * SECOND);
        assert_eq!(around(10 * SECOND, Jitter::NONE), 9 * SECOND);
        assert_eq!(around(10 * SECOND, Jitter::new(1.0)), 11 * SECOND);
    }

    #[test]
    fn equal_seeds_give_equal_numbers_that_fill_the_range() {
        let draw = |seed| {
            let mut source = JitterSource::new(seed);
            (0..1000)
                .map(|_| source.next_jitter().0)
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mean = draw(7).iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(draw(7).iter().all(|number| (0.0..=1.0).contains(number)));
        // The first number of the published algorithm for seed 0.
        assert_eq!(JitterSource::new(0).next_bits(), 0xE220_A839_7B1D_CDAF);
    }
}
