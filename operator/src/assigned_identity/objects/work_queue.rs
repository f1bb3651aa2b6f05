//! Pods whose objects have to be looked at: each by one job at a time, few at once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use podid_core::backoff::{Backoff, Jitter};

use podid_index::ObjectKey;

/// Writes to the API server under way at once: enough to keep it busy, too few to crowd others.
const AT_ONCE: usize = 32;

/// Waits before a failed write is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

#[derive(Debug, Default)]
pub(super) struct WorkQueue {
    waiting: VecDeque<ObjectKey>,
    queued: HashSet<ObjectKey>,
    running: HashSet<ObjectKey>,
    failures: HashMap<ObjectKey, u32>,
}

impl WorkQueue {
    /// Asks for a pod to be looked at; asking twice before it happens is asking once.
    pub(super) fn request(&mut self, pod: ObjectKey) {
        if self.queued.insert(pod.clone()) {
            self.waiting.push_back(pod);
        }
    }

    /// The next pod to look at, which is running from now on.
    pub(super) fn start_next(&mut self) -> Option<ObjectKey> {
        if self.running.len() >= AT_ONCE {
            return None;
        }
        // A pod that is being worked on waits until that has ended.
        let free = self
            .waiting
            .iter()
            .position(|pod| !self.running.contains(pod))?;
        let pod = self.waiting.remove(free)?;
        self.queued.remove(&pod);
        self.running.insert(pod.clone());
        Some(pod)
    }

    pub(super) fn succeeded(&mut self, pod: &ObjectKey) {
        self.running.remove(pod);
        self.failures.remove(pod);
    }

    /// How long to wait before asking for the pod again.
    pub(super) fn failed(&mut self, pod: &ObjectKey) -> Duration {
        self.running.remove(pod);
        let failures = self.failures.entry(pod.clone()).or_default();
        *failures = failures.saturating_add(1);
        RETRY.wait(*failures, Jitter::new(rand::random()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(number: usize) -> ObjectKey {
        ObjectKey::new("apps", format!("web-{number}"))
    }

    #[test]
    fn a_pod_is_worked_on_once_at_a_time_and_again_if_it_changed_meanwhile() {
        let mut queue = WorkQueue::default();
        queue.request(pod(1));
        queue.request(pod(1));
        assert_eq!(queue.start_next(), Some(pod(1)));
        assert_eq!(queue.start_next(), None);
        queue.request(pod(1));
        queue.request(pod(2));
        assert_eq!(
            queue.start_next(),
            Some(pod(2)),
            "the first is still running"
        );
        assert_eq!(queue.start_next(), None);
        queue.succeeded(&pod(1));
        assert_eq!(queue.start_next(), Some(pod(1)));
    }

    #[test]
    fn few_run_at_once() {
        let mut queue = WorkQueue::default();
        (0..2 * AT_ONCE).for_each(|number| queue.request(pod(number)));
        let started = std::iter::from_fn(|| queue.start_next()).count();
        assert_eq!(started, AT_ONCE);
    }

    #[test]
    fn waits_grow_and_are_forgotten_with_success() {
        let mut queue = WorkQueue::default();
        let waits: Vec<_> = (0..40).map(|_| queue.failed(&pod(1))).collect();
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(30));
        assert!(waits[0] <= first && waits[39] > first && waits[39] <= longest);
        queue.succeeded(&pod(1));
        assert!(queue.failed(&pod(1)) <= first);
    }
}
