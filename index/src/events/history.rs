use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use podid_core::backoff::Backoff;
use tokio::time::Instant;

/// Pauses before an Event whose cause lasts is repeated. The API server deletes Events after an hour;
/// repeated sooner, a cause that lasts is always
/// visible.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    /// Pause after the first Event; doubled after each further one.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
}

impl Repetition {
    /// The pause after this number of Events of one cause in a row.
    fn pause(self, times: u32) -> Duration {
        Backoff::new(self.first, self.longest).full_wait(times)
    }
}

/// Whether to publish an Event now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// No: an Event of this cause was the last one, and is not to be repeated (yet).
    No,
    /// Yes: none was published of the subject, or the last one had another cause.
    First,
    /// Yes: the cause has lasted since the last Event, and the pause is over.
    Again,
}

/// The last Event about each subject of each object, by which the next one is published or left out: one when
/// the cause changes, and one after each pause while it lasts. An object has a key `K`. At most `capacity`
/// subjects are remembered; with more, an Event about the oldest may be repeated too early.
#[derive(Debug)]
pub struct EventHistory<K> {
    repetition: Repetition,
    capacity: usize,
    published: HashMap<K, HashMap<String, LastPublished>>,
    count: usize,
}

#[derive(Debug)]
struct LastPublished {
    cause: String,
    at: Instant,
    times: u32,
    /// When it is to be repeated; `None` for one that is not.
    again: Option<Instant>,
}

impl<K: Clone + Eq + Hash> EventHistory<K> {
    #[allow(missing_docs, reason = "the name is enough")]
    #[must_use]
    pub fn new(repetition: Repetition, capacity: usize) -> Self {
        Self {
            repetition,
            capacity,
            published: HashMap::new(),
            count: 0,
        }
    }

    /// Whether to publish an Event about a subject of an object now, because of a cause that holds. It is
    /// repeated while the cause lasts.
    pub fn publish_repeatedly(&mut self, object: &K, subject: &str, cause: &str) -> Publish {
        let now = Instant::now();
        let (publish, times) = match self.last(object, subject) {
            Some(last) if last.cause == cause => match last.again {
                Some(again) if again <= now => (Publish::Again, last.times),
                Some(_) | None => return Publish::No,
            },
            // Another cause than last time is new, and its pauses begin with the shortest.
            _ => (Publish::First, 0),
        };
        let times = times.saturating_add(1);
        let last = LastPublished {
            cause: cause.to_owned(),
            at: now,
            times,
            again: Some(now + self.repetition.pause(times)),
        };
        self.remember(object, subject, last);
        publish
    }

    /// Whether to publish an Event about a subject of an object now, because of something that has happened
    /// (`cause`). It is not repeated before an Event with another cause.
    pub fn publish_once(&mut self, object: &K, subject: &str, cause: &str) -> Publish {
        if self
            .last(object, subject)
            .is_some_and(|last| last.cause == cause)
        {
            return Publish::No;
        }
        let last = LastPublished {
            cause: cause.to_owned(),
            at: Instant::now(),
            times: 1,
            again: None,
        };
        self.remember(object, subject, last);
        Publish::First
    }

    /// Forgets the repeated Events about those subjects of an object for which `lasts` is false: their cause has
    /// ended.
    pub fn retain_repeated(&mut self, object: &K, lasts: impl Fn(&str) -> bool) {
        let Some(subjects) = self.published.get_mut(object) else {
            return;
        };
        let before = subjects.len();
        subjects.retain(|subject, last| last.again.is_none() || lasts(subject));
        self.count -= before - subjects.len();
        if subjects.is_empty() {
            self.published.remove(object);
        }
    }

    /// Objects about which an Event is to be repeated now, if its cause still holds.
    #[must_use]
    pub fn due(&self) -> Vec<K> {
        let now = Instant::now();
        let is_due = |last: &LastPublished| last.again.is_some_and(|again| again <= now);
        let due = self.published.iter();
        let due = due.filter(|(_, subjects)| subjects.values().any(is_due));
        due.map(|(object, _)| object.clone()).collect()
    }

    /// Forgets an object that does not exist any more, or about which no cause holds any more.
    pub fn forget(&mut self, object: &K) {
        if let Some(subjects) = self.published.remove(object) {
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

    fn last(&self, object: &K, subject: &str) -> Option<&LastPublished> {
        self.published.get(object)?.get(subject)
    }

    fn remember(&mut self, object: &K, subject: &str, last: LastPublished) {
        if self.last(object, subject).is_none() {
            if self.count >= self.capacity {
                self.forget_oldest();
            }
            self.count += 1;
        }
        let subjects = self.published.entry(object.clone()).or_default();
        subjects.insert(subject.to_owned(), last);
    }

    fn forget_oldest(&mut self) {
        let all = self.published.iter().flat_map(|(object, subjects)| {
            let subjects = subjects.iter();
            subjects.map(move |(subject, last)| (last.at, object, subject))
        });
        let oldest = all.min_by_key(|(at, _, _)| *at);
        let Some((object, subject)) = oldest.map(|(_, o, s)| (o.clone(), s.clone())) else {
            return;
        };
        if let Some(subjects) = self.published.get_mut(&object) {
            subjects.remove(&subject);
            self.count -= 1;
            if subjects.is_empty() {
                self.published.remove(&object);
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
        assert_eq!(
            history.publish_repeatedly(&"pod", "id", "A"),
            Publish::First
        );
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let began = Instant::now();
            while history.due().is_empty() {
                assert_eq!(history.publish_repeatedly(&"pod", "id", "A"), Publish::No);
                tokio::time::advance(MINUTE).await;
            }
            pauses.push(began.elapsed().as_secs() / 60);
            assert_eq!(
                history.publish_repeatedly(&"pod", "id", "A"),
                Publish::Again
            );
        }
        assert_eq!(pauses, [10, 20, 30, 30]);
        assert_eq!(
            history.publish_repeatedly(&"pod", "id", "B"),
            Publish::First
        );
        tokio::time::advance(10 * MINUTE).await;
        assert_eq!(history.due(), ["pod"], "a new cause begins anew");
        history.retain_repeated(&"pod", |_| false);
        assert!(history.due().is_empty() && history.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_once_is_said_again_only_after_something_else() {
        let mut history = history(10);
        assert_eq!(history.publish_once(&"pod", "id", "done"), Publish::First);
        tokio::time::advance(60 * MINUTE).await;
        assert_eq!(history.publish_once(&"pod", "id", "done"), Publish::No);
        assert!(history.due().is_empty());
        history.retain_repeated(&"pod", |_| false);
        assert_eq!(
            history.publish_once(&"pod", "id", "done"),
            Publish::No,
            "it is done still"
        );
        assert_eq!(
            history.publish_repeatedly(&"pod", "id", "trouble"),
            Publish::First
        );
        assert_eq!(history.publish_once(&"pod", "id", "done"), Publish::First);
        history.forget(&"pod");
        assert_eq!(history.publish_once(&"pod", "id", "done"), Publish::First);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let mut history = history(3);
        for subject in ["a", "b", "c", "d"] {
            assert_eq!(
                history.publish_repeatedly(&"pod", subject, "A"),
                Publish::First
            );
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(history.len(), 3);
        assert_eq!(history.publish_repeatedly(&"pod", "b", "A"), Publish::No);
        assert_eq!(history.publish_repeatedly(&"pod", "a", "A"), Publish::First);
        assert_eq!(
            history.publish_repeatedly(&"pod", "b", "A"),
            Publish::First,
            "it was the oldest"
        );
        assert_eq!(history.len(), 3);
    }
}
