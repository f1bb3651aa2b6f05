//! When a profile or a class that could not be finished is tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use podid_core::backoff::{Backoff, Jitter, around, lengthened};
use tokio::time::Instant;

/// Waits of an object that fails again and again.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// What is known of the tries of an object that all failed.
#[derive(Debug, Default)]
struct FailedTries {
    count: u32,
    /// Until when Azure has asked to be left alone.
    azure_waits_until: Option<Instant>,
}

/// How often in a row each object was tried without success, by uid. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Retries(Arc<Mutex<HashMap<String, FailedTries>>>);

impl Retries {
    /// Counts a failure, and returns how long to wait: longer each time, never shorter than `at_least`
    /// (Azure's `Retry-After`), and not the same for two objects that failed together.
    pub(crate) fn again(&self, uid: &str, at_least: Option<Duration>) -> Duration {
        let mut failures = self.failures();
        let tries = failures.entry(uid.to_owned()).or_default();
        tries.count = tries.count.saturating_add(1);
        tries.azure_waits_until = at_least.map(|asked| Instant::now() + asked);
        BACKOFF.full_wait_at_least(tries.count, at_least, jitter())
    }

    /// How long to wait before Azure may be called for an object, whatever the reason of the call: a little
    /// longer than what Azure asked for. `None` when it may be called now.
    pub(crate) fn azure_wait(&self, uid: &str) -> Option<Duration> {
        let until = self.failures().get(uid)?.azure_waits_until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| lengthened(left, jitter()))
    }

    /// Forgets the failures of an object: it succeeded, or is deleted.
    pub(crate) fn forget(&self, uid: &str) {
        self.failures().remove(uid);
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn failures(&self) -> MutexGuard<'_, HashMap<String, FailedTries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time [around] an interval.
pub(crate) fn jittered(interval: Duration) -> Duration {
    around(interval, jitter())
}

fn jitter() -> Jitter {
    Jitter::new(rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_are_forgotten() {
        let retries = Retries::default();
        let waits: Vec<u64> = (0..40)
            .map(|_| retries.again("a", None).as_secs())
            .collect();
        assert!(
            (1..=2).contains(&waits[0]) && (4..=5).contains(&waits[2]) && waits[39] >= 300,
            "{waits:?}"
        );
        assert!(waits.iter().all(|wait| *wait <= 360), "{waits:?}");
        assert!(
            retries.again("b", None) < Duration::from_secs(2),
            "each has its own count"
        );
        retries.forget("a");
        assert!(retries.again("a", None) < Duration::from_secs(2));
    }

    #[test]
    fn azures_word_is_the_shortest_wait() {
        let asked = Duration::from_secs(60);
        assert!(Retries::default().again("a", Some(asked)) >= asked);
    }

    #[tokio::test(start_paused = true)]
    async fn azures_word_is_kept_until_its_time_is_over() {
        let retries = Retries::default();
        assert_eq!(retries.azure_wait("a"), None);
        retries.again("a", Some(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(59)).await;
        let left = retries.azure_wait("a").expect("a second is left");
        assert!(left >= Duration::from_secs(1), "{left:?}");
        assert_eq!(retries.azure_wait("b"), None, "each has its own");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(retries.azure_wait("a"), None);
        retries.again("a", Some(Duration::from_secs(60)));
        retries.forget("a");
        assert_eq!(retries.azure_wait("a"), None);
    }

    #[test]
    fn intervals_keep_near_what_was_asked() {
        for _ in 0..100 {
            let interval = jittered(Duration::from_secs(100)).as_secs_f64();
            assert!((90.0..=110.0).contains(&interval), "{interval}");
        }
    }
}
