//! The last requests that got no token, for `podid-nmi status`: the log has them all, and Events name causes once.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// How many are remembered. The one that was met longest ago gives way.
const REMEMBERED: usize = 64;
/// Most characters of a reason: it may contain what a pod has written.
const REASON_MAX: usize = 300;

/// Requests of one caller that were refused with one word.
#[derive(Clone, Debug)]
pub(crate) struct RecentError {
    pub(crate) address: Ipv4Addr,
    /// Namespace and name of the pod, if it was attested.
    pub(crate) pod: Option<(String, String)>,
    /// The word.
    pub(crate) outcome: &'static str,
    /// Of the last of these requests.
    pub(crate) reason: String,
    pub(crate) last: Instant,
    pub(crate) count: u64,
}

/// See the module. Clones share what is remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentErrors(Arc<Mutex<VecDeque<RecentError>>>);

impl RecentErrors {
    /// Notes a refusal. One caller takes up a place for each word only, so that it cannot push out the others.
    pub(crate) fn note(
        &self,
        address: Ipv4Addr,
        pod: Option<(&str, &str)>,
        outcome: &'static str,
        reason: &str,
    ) {
        let same = |known: &RecentError| {
            let known_pod = known.pod.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            (known.address, known_pod, known.outcome) == (address, pod, outcome)
        };
        let mut errors = self.errors();
        let at = errors.iter().position(same);
        let before = at.and_then(|at| errors.remove(at));
        if errors.len() >= REMEMBERED {
            errors.pop_front();
        }
        errors.push_back(RecentError {
            address,
            pod: pod.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
            outcome,
            reason: reason.chars().take(REASON_MAX).collect(),
            last: Instant::now(),
            count: before.map_or(0, |before| before.count) + 1,
        });
    }

    /// All that are remembered, the last one first.
    pub(crate) fn newest_first(&self) -> Vec<RecentError> {
        self.errors().iter().rev().cloned().collect()
    }

    /// Nothing can panic while the lock is held.
    fn errors(&self) -> MutexGuard<'_, VecDeque<RecentError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    #[test]
    fn the_same_is_counted_and_the_last_one_is_first() {
        let errors = RecentErrors::default();
        errors.note(HERE, Some(("a", "app")), "NotBound", "one");
        errors.note(HERE, None, "NotAttested", "x");
        errors.note(HERE, Some(("a", "app")), "NotBound", "two");
        let known = errors.newest_first();
        let shown: Vec<_> = known
            .iter()
            .map(|one| (one.outcome, one.reason.as_str(), one.count))
            .collect();
        assert_eq!(shown, [("NotBound", "two", 2), ("NotAttested", "x", 1)]);
    }

    #[test]
    fn one_caller_cannot_push_out_the_others_nor_fill_memory() {
        let errors = RecentErrors::default();
        errors.note(HERE, Some(("a", "quiet")), "NotBound", "x");
        let long = "ä".repeat(10_000);
        for number in 0..1000 {
            errors.note(
                HERE,
                Some(("a", "loud")),
                "NotBound",
                &format!("{number} {long}"),
            );
        }
        assert_eq!(errors.newest_first().len(), 2);
        for last in 0..=255 {
            let address = Ipv4Addr::new(10, 0, 1, last);
            errors.note(address, None, "NotAttested", &long);
        }
        let known = errors.newest_first();
        assert_eq!(known.len(), REMEMBERED);
        assert!(
            known
                .iter()
                .all(|one| one.reason.chars().count() <= REASON_MAX)
        );
    }
}
