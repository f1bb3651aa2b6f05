//! Answers that many ask for: each is asked for once, and kept for a while.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The answer to one question; empty before it was asked.
type Slot<V> = Arc<tokio::sync::Mutex<Option<Answer<V>>>>;

/// Answers by question, each `age` old at most.
pub(in crate::profile) struct Kept<K, V> {
    age: Duration,
    slots: Mutex<BTreeMap<K, Slot<V>>>,
}

/// An answer, or that there was none.
struct Answer<V> {
    /// When it was asked for: it may be as old as that.
    asked: Instant,
    value: Option<V>,
}

impl<K: Clone + Ord, V: Clone> Kept<K, V> {
    pub(super) const fn new(age: Duration) -> Self {
        Self {
            age,
            slots: Mutex::new(BTreeMap::new()),
        }
    }

    /// The answer to a question, by `ask` if there is none that is young enough. Who comes meanwhile waits for
    /// the same answer. That there is none is kept as well, so that not everybody asks in vain.
    pub(in crate::profile) async fn get(
        &self,
        key: &K,
        ask: impl Future<Output = Option<V>>,
    ) -> Option<V> {
        let slot = self.slot(key);
        let mut answer = slot.lock().await;
        if let Some(kept) = answer.as_ref().filter(|kept| self.is_young(kept)) {
            return kept.value.clone();
        }
        let asked = Instant::now();
        let value = ask.await;
        *answer = Some(Answer {
            asked,
            value: value.clone(),
        });
        value
    }

    fn is_young(&self, answer: &Answer<V>) -> bool {
        answer.asked.elapsed() < self.age
    }

    /// Also forgets what is too old, unless somebody is about to ask for it again.
    fn slot(&self, key: &K) -> Slot<V> {
        // Nothing here can panic while the lock is held, so a poisoned state is still a true one.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let is_young = |answer: &Option<Answer<V>>| {
                answer.as_ref().is_some_and(|answer| self.is_young(answer))
            };
            slot.try_lock().map_or(true, |answer| is_young(&answer))
        });
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::time::sleep;

    use super::*;

    const AGE: Duration = Duration::from_secs(30);
    const ASKING: Duration = Duration::from_secs(10);

    /// Answers with the number of the question; every third has no answer.
    #[derive(Default)]
    struct Source(AtomicUsize);

    impl Source {
        async fn ask(&self) -> Option<usize> {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            sleep(ASKING).await;
            (!number.is_multiple_of(3)).then_some(number)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_come_meanwhile_share_one_answer() {
        let (kept, source) = (Kept::new(AGE), Source::default());
        let answers = join_all((0..50).map(|_| kept.get(&"a", source.ask()))).await;
        assert_eq!(answers, [Some(1); 50]);
        assert_eq!(
            kept.get(&"b", source.ask()).await,
            Some(2),
            "another question"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_from_when_it_was_asked_for_and_so_is_that_there_is_none() {
        let (kept, source) = (Kept::new(AGE), Source::default());
        for expected in [Some(1), Some(2), None] {
            assert_eq!(kept.get(&"a", source.ask()).await, expected);
            sleep(AGE - ASKING - Duration::from_millis(1)).await;
            assert_eq!(kept.get(&"a", source.ask()).await, expected, "young enough");
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(source.0.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_asks_for_is_forgotten() {
        let (kept, source) = (Kept::new(AGE), Source::default());
        for number in 0..100 {
            kept.get(&number, source.ask()).await;
            assert!(kept.slots.lock().expect("no panic").len() <= 4);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_asking_leaves_it_to_the_next() {
        let (kept, source) = (Kept::new(AGE), Source::default());
        let (short, key) = (ASKING / 2, "a");
        assert!(
            tokio::time::timeout(short, kept.get(&key, source.ask()))
                .await
                .is_err()
        );
        assert_eq!(kept.get(&key, source.ask()).await, Some(2));
    }
}
