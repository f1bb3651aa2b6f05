//! How often something may happen that costs calls.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;
use crate::token_bucket::TokenBucket;

/// A token bucket for each key.
#[derive(Clone, Debug)]
pub(super) struct RateLimit<K> {
    full: TokenBucket,
    /// The buckets that are not full.
    buckets: BTreeMap<K, TokenBucket>,
}

impl<K: Clone + Ord> RateLimit<K> {
    /// So many at once, and then one in each `refill`.
    pub(super) const fn new(burst: u32, refill: Duration) -> Self {
        Self {
            full: TokenBucket::full(burst, refill),
            buckets: BTreeMap::new(),
        }
    }

    /// How long it has to wait; `None` if it may happen now.
    pub(super) fn wait(&self, key: &K, now: Moment) -> Option<Duration> {
        self.buckets.get(key)?.wait(1, now)
    }

    /// It happens.
    pub(super) fn spend(&mut self, key: &K, now: Moment) {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        let bucket = self.buckets.entry(key.clone()).or_insert(self.full);
        bucket.take(now);
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(limit.buckets.len(), 1, "what is not needed is forgotten");
    }
}
