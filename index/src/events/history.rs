use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use podid_core::backoff::Backoff;
use tokio::time::Instant;

/// Pauses before an Event whose cause lasts is repeated. The API server deletes Events after an hour;
/// repeated sooner, a cause that lasts is always visible.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    /// Pause after it was said for the first time; doubled each time.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
}

impl Repetition {
    /// The pause after it was said this number of times in a row.
    fn pause(self, times: u32) -> Duration {
        Backoff::new(self.first, self.longest).full_wait(times)
    }
}

/// Whether to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// It was said not long ago.
    Not,
    /// It is new, or something else was said last.
    New,
    /// It has lasted since it was said.
    Again,
}

/// What was last said about objects, each by a key `K` and a subject: said once, again when the cause
/// changes, and again while it lasts. At most `capacity` subjects are remembered; with more, the oldest
/// may be said again too early.
#[derive(Debug)]
pub struct EventHistory<K> {
    repetition: Repetition,
    capacity: usize,
    said: HashMap<K, HashMap<String, LastSaid>>,
    count: usize,
}

#[derive(Debug)]
struct LastSaid {
    cause: String,
    at: Instant,
    times: u32,
    /// When it is due again; `None` for what is not repeated.
    again: Option<Instant>,
}

impl<K: Clone + Eq + Hash> EventHistory<K> {
    #[allow(missing_docs, reason = "the name is enough")]
    #[must_use]
    pub fn new(repetition: Repetition, capacity: usize) -> Self {
        Self {
            repetition,
            capacity,
            said: HashMap::new(),
            count: 0,
        }
    }

    /// Whether to say `cause` of a subject now, and again while it lasts; remembers it if so.
    pub fn lasting(&mut self, object: &K, subject: &str, cause: &str) -> Say {
        let now = Instant::now();
        let (say, times) = match self.last(object, subject) {
            Some(said) if said.cause == cause => match said.again {
                Some(again) if again <= now => (Say::Again, said.times),
                Some(_) | None => return Say::Not,
            },
            // Another cause than last time is new, and its pauses begin with the shortest.
            _ => (Say::New, 0),
        };
        let times = times.saturating_add(1);
        let said = LastSaid {
            cause: cause.to_owned(),
            at: now,
            times,
            again: Some(now + self.repetition.pause(times)),
        };
        self.remember(object, subject, said);
        say
    }

    /// Whether to say `cause` of a subject now, and not again before something else was said.
    pub fn once(&mut self, object: &K, subject: &str, cause: &str) -> Say {
        if self
            .last(object, subject)
            .is_some_and(|said| said.cause == cause)
        {
            return Say::Not;
        }
        let said = LastSaid {
            cause: cause.to_owned(),
            at: Instant::now(),
            times: 1,
            again: None,
        };
        self.remember(object, subject, said);
        Say::New
    }

    /// Of what lasts, only these subjects of an object still do.
    pub fn retain_lasting(&mut self, object: &K, lasts: impl Fn(&str) -> bool) {
        let Some(subjects) = self.said.get_mut(object) else {
            return;
        };
        let before = subjects.len();
        subjects.retain(|subject, said| said.again.is_none() || lasts(subject));
        self.count -= before - subjects.len();
        if subjects.is_empty() {
            self.said.remove(object);
        }
    }

    /// Objects of which something is due to be said again, if it still holds.
    #[must_use]
    pub fn due(&self) -> Vec<K> {
        let now = Instant::now();
        let is_due = |said: &LastSaid| said.again.is_some_and(|again| again <= now);
        let due = self.said.iter();
        let due = due.filter(|(_, subjects)| subjects.values().any(is_due));
        due.map(|(object, _)| object.clone()).collect()
    }

    /// Forgets an object that is gone, or of which nothing holds any more.
    pub fn forget(&mut self, object: &K) {
        if let Some(subjects) = self.said.remove(object) {
            self.count -= subjects.len();
        }
    }

    /// How many subjects are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[allow(missing_docs, reason = "the name is enough")]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn last(&self, object: &K, subject: &str) -> Option<&LastSaid> {
        self.said.get(object)?.get(subject)
    }

    fn remember(&mut self, object: &K, subject: &str, said: LastSaid) {
        if self.last(object, subject).is_none() {
            if self.count >= self.capacity {
                self.forget_oldest();
            }
            self.count += 1;
        }
        let subjects = self.said.entry(object.clone()).or_default();
        subjects.insert(subject.to_owned(), said);
    }

    fn forget_oldest(&mut self) {
        let all = self.said.iter().flat_map(|(object, subjects)| {
            let subjects = subjects.iter();
            subjects.map(move |(subject, said)| (said.at, object, subject))
        });
        let oldest = all.min_by_key(|(at, _, _)| *at);
        let Some((object, subject)) = oldest.map(|(_, o, s)| (o.clone(), s.clone())) else {
            return;
        };
        if let Some(subjects) = self.said.get_mut(&object) {
            subjects.remove(&subject);
            self.count -= 1;
            if subjects.is_empty() {
                self.said.remove(&object);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn history(capacity: usize) -> EventHistory<&'static str> {
        let repetition = Repetition {
            first: 10 * MINUTE,
            longest: 30 * MINUTE,
        };
        EventHistory::new(repetition, capacity)
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_again_with_growing_pauses() {
        let mut history = history(10);
        assert_eq!(history.lasting(&"pod", "id", "A"), Say::New);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let began = Instant::now();
            while history.due().is_empty() {
                assert_eq!(history.lasting(&"pod", "id", "A"), Say::Not);
                tokio::time::advance(MINUTE).await;
            }
            pauses.push(began.elapsed().as_secs() / 60);
            assert_eq!(history.lasting(&"pod", "id", "A"), Say::Again);
        }
        assert_eq!(pauses, [10, 20, 30, 30]);
        assert_eq!(history.lasting(&"pod", "id", "B"), Say::New);
        tokio::time::advance(10 * MINUTE).await;
        assert_eq!(history.due(), ["pod"], "a new cause begins anew");
        history.retain_lasting(&"pod", |_| false);
        assert!(history.due().is_empty() && history.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_once_is_said_again_only_after_something_else() {
        let mut history = history(10);
        assert_eq!(history.once(&"pod", "id", "done"), Say::New);
        tokio::time::advance(60 * MINUTE).await;
        assert_eq!(history.once(&"pod", "id", "done"), Say::Not);
        assert!(history.due().is_empty());
        history.retain_lasting(&"pod", |_| false);
        assert_eq!(
            history.once(&"pod", "id", "done"),
            Say::Not,
            "it is done still"
        );
        assert_eq!(history.lasting(&"pod", "id", "trouble"), Say::New);
        assert_eq!(history.once(&"pod", "id", "done"), Say::New);
        history.forget(&"pod");
        assert_eq!(history.once(&"pod", "id", "done"), Say::New);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let mut history = history(3);
        for subject in ["a", "b", "c", "d"] {
            assert_eq!(history.lasting(&"pod", subject, "A"), Say::New);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(history.len(), 3);
        assert_eq!(history.lasting(&"pod", "b", "A"), Say::Not);
        assert_eq!(history.lasting(&"pod", "a", "A"), Say::New);
        assert_eq!(
            history.lasting(&"pod", "b", "A"),
            Say::New,
            "it was the oldest"
        );
        assert_eq!(history.len(), 3);
    }
}
