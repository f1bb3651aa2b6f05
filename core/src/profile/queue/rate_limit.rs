//! How often something may happen that costs calls.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;

/// A token bucket for each key: so many at once, and then one in each `refill`.
#[derive(Clone, Debug)]
pub(super) struct RateLimit<K> {
    burst: u32,
    refill: Duration,
    /// Until when the tokens of each key are spent, one for each `refill`.
    spent_until: BTreeMap<K, Moment>,
}

impl<K: Clone + Ord> RateLimit<K> {
    pub(super) const fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst,
            refill,
            spent_until: BTreeMap::new(),
        }
    }

    /// How long it has to wait; `None` if it may happen now.
    pub(super) fn wait(&self, key: &K, now: Moment) -> Option<Duration> {
        let spent_until = self.spent_until.get(key)?;
        let debt = spent_until.saturating_duration_since(now);
        let most = self.refill * self.burst.saturating_sub(1);
        debt.checked_sub(most).filter(|wait| !wait.is_zero())
    }

    /// It happens.
    pub(super) fn spend(&mut self, key: &K, now: Moment) {
        self.spent_until.retain(|_, until| *until > now);
        let spent_until = self.spent_until.entry(key.clone()).or_insert(now);
        *spent_until = *spent_until + self.refill;
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

    /// Has it happen, if it may; how long it has to wait otherwise.
    fn take(limit: &mut RateLimit<char>, key: char, now: Moment) -> Option<Duration> {
        let wait = limit.wait(&key, now);
        if wait.is_none() {
            limit.spend(&key, now);
        }
        wait
    }

    #[test]
    fn a_few_may_happen_at_once_and_then_one_in_each_refill() {
        let mut limit = RateLimit::new(3, REFILL);
        for _ in 0..3 {
            assert_eq!(take(&mut limit, 'a', at(0)), None);
        }
        assert_eq!(take(&mut limit, 'a', at(0)), Some(REFILL));
        assert_eq!(take(&mut limit, 'b', at(0)), None, "each has its own");
        assert_eq!(
            take(&mut limit, 'a', at(9_000)),
            Some(Duration::from_secs(1))
        );
        assert_eq!(take(&mut limit, 'a', at(10_000)), None);
        assert_eq!(take(&mut limit, 'a', at(10_000)), Some(REFILL));
        assert_eq!(take(&mut limit, 'a', at(60_000)), None);
        assert_eq!(
            limit.spent_until.len(),
            1,
            "what is not needed is forgotten"
        );
    }

    proptest! {
        #[test]
        fn nothing_happens_more_often_than_stated(pauses in prop::collection::vec(0..3_000u64, 1..200)) {
            let mut limit = RateLimit::new(3, REFILL);
            let (mut now, mut happened) = (0, 0);
            for pause in pauses {
                now += pause;
                if take(&mut limit, 'a', at(now)).is_none() {
                    happened += 1;
                }
            }
            prop_assert!(happened <= 3 + now / 10_000);
        }

        #[test]
        fn after_the_wait_it_may_happen(burst in 0..9usize, now in 0..100_000u64) {
            let mut limit = RateLimit::new(3, REFILL);
            for _ in 0..burst {
                take(&mut limit, 'a', at(now));
            }
            if let Some(wait) = take(&mut limit, 'a', at(now)) {
                prop_assert_eq!(take(&mut limit, 'a', at(now) + wait), None);
            }
        }
    }
}
