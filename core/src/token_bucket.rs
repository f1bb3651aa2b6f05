//! How often something may happen: so many at once, and then one in each span of time.

use std::time::Duration;

use crate::moment::Moment;

/// A bucket that is refilled with one token after the other. Whatever happens takes one.
///
/// **Guarantee.** If a token is taken only when [`wait`](Self::wait) for one is `None`, no span of time has more of
/// them than the bucket holds and `refill`s fit into the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenBucket {
    size: u32,
    refill: Duration,
    /// When it is full again, or was.
    full_at: Moment,
}

impl TokenBucket {
    /// A full bucket of at most `size` tokens, which gets one more in each `refill`.
    pub(crate) const fn full(size: u32, refill: Duration) -> Self {
        Self {
            size,
            refill,
            full_at: Moment::after_start(Duration::ZERO),
        }
    }

    /// The same bucket when it held only so many `tokens` at this time.
    pub(crate) fn holding(self, tokens: u32, at: Moment) -> Self {
        let missing = self.size.saturating_sub(tokens);
        Self {
            full_at: at + self.refill.saturating_mul(missing),
            ..self
        }
    }

    /// How long until it holds this many tokens; `None` if it does. As many as it can never hold are waited for
    /// without end, one refill after the other.
    pub(crate) fn wait(&self, tokens: u32, now: Moment) -> Option<Duration> {
        let until_full = self.full_at.saturating_duration_since(now);
        let Some(spare) = self.size.checked_sub(tokens) else {
            return Some(until_full.max(self.refill));
        };
        let wait = until_full.checked_sub(self.refill.saturating_mul(spare))?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Takes one token, which it holds.
    pub(crate) fn take(&mut self, now: Moment) {
        self.full_at = self.full_at.max(now) + self.refill;
    }

    /// It is found to be empty, and is refilled from this time on and no earlier.
    pub(crate) fn empty_until(&mut self, until: Moment) {
        let empty = self.holding(0, until);
        self.full_at = self.full_at.max(empty.full_at);
    }

    /// Whether it holds all that it can.
    pub(crate) fn is_full(&self, now: Moment) -> bool {
        self.full_at <= now
    }

    /// The time in which it gets one token.
    pub(crate) const fn refill(&self) -> Duration {
        self.refill
    }

    /// The time in which it gets all tokens.
    pub(crate) fn refill_of_all(&self) -> Duration {
        self.refill.saturating_mul(self.size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REFILL: Duration = Duration::from_secs(10);

    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn it_is_waited_for_as_many_tokens_as_are_missing() {
        let bucket = TokenBucket::full(3, REFILL).holding(1, at(0));
        assert_eq!(bucket.wait(1, at(0)), None);
        assert_eq!(bucket.wait(2, at(0)), Some(REFILL));
        assert_eq!(bucket.wait(3, at(1_000)), Some(Duration::from_secs(19)));
        assert_eq!(bucket.wait(3, at(20_000)), None);
        assert_eq!(bucket.wait(4, at(20_000)), Some(REFILL), "it never fits");
    }

    #[test]
    fn a_bucket_that_was_found_empty_is_refilled_from_then_on() {
        let mut bucket = TokenBucket::full(3, REFILL);
        bucket.empty_until(at(5_000));
        assert_eq!(bucket.wait(1, at(0)), Some(Duration::from_secs(15)));
        bucket.empty_until(at(1_000));
        assert_eq!(
            bucket.wait(1, at(0)),
            Some(Duration::from_secs(15)),
            "no earlier"
        );
        assert!(!bucket.is_full(at(34_999)));
        assert!(bucket.is_full(at(35_000)));
    }

    proptest! {
        #[test]
        fn after_the_wait_it_holds_what_was_waited_for(
            held in 0..5u32, tokens in 0..=5u32, now in 0..100_000u64,
        ) {
            let bucket = TokenBucket::full(5, REFILL).holding(held, at(0));
            if let Some(wait) = bucket.wait(tokens, at(now)) {
                prop_assert_eq!(bucket.wait(tokens, at(now) + wait), None);
                let sooner = wait - Duration::from_nanos(1);
                prop_assert!(bucket.wait(tokens, at(now) + sooner).is_some());
            }
        }

        #[test]
        fn no_span_of_time_has_more_than_stated(pauses in prop::collection::vec(0..9_000u64, 1..120)) {
            let mut bucket = TokenBucket::full(3, REFILL);
            let (mut now, mut taken) = (0, Vec::new());
            for pause in pauses {
                now += pause;
                if bucket.wait(1, at(now)).is_none() {
                    bucket.take(at(now));
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let happened = (last - first + 1) as u64;
                    prop_assert!(happened <= 3 + (to - from) / 10_000);
                }
            }
        }
    }
}
