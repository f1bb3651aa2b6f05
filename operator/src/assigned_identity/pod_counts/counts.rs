//! The pods of each profile's AzureIdentity by state, kept up to date one pod at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use podid_core::profile::pods::{BoundPods, PodState, USUAL_WAIT};
use podid_index::ObjectKey;
use tokio::time::Instant;

use crate::assigned_identity::pod_count_entry::PodCountEntry;

#[derive(Debug, Default)]
pub(super) struct PodCounts {
    /// Pods by the AzureIdentity that they use.
    entries: HashMap<ObjectKey, BTreeMap<ObjectKey, TimedEntry>>,
    identities_of: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    dirty: BTreeSet<ObjectKey>,
    /// When the wait of each pod becomes longer than usual.
    waits: BTreeSet<(Instant, ObjectKey)>,
}

/// What one pod adds, and since when it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TimedEntry {
    entry: PodCountEntry,
    /// Since when it is under way; `None` while it is not.
    since: Option<Instant>,
}

impl TimedEntry {
    /// When the wait becomes longer than usual; `None` if it is already or there is none.
    fn late_from(&self) -> Option<Instant> {
        let late = matches!(self.entry.state, PodState::UnderWay { late: true, .. });
        let since = self.since.filter(|_| !late)?;
        Some(since + USUAL_WAIT)
    }
}

impl PodCounts {
    /// Sets what a pod adds, by AzureIdentity: nothing when it is gone or bound to none. `late` of a state
    /// is decided here.
    pub(super) fn set(&mut self, pod: &ObjectKey, entries: BTreeMap<ObjectKey, PodCountEntry>) {
        let now = Instant::now();
        let identities: BTreeSet<ObjectKey> = entries.keys().cloned().collect();
        let before = match identities.is_empty() {
            true => self.identities_of.remove(pod),
            false => self.identities_of.insert(pod.clone(), identities.clone()),
        };
        for gone in before.unwrap_or_default().difference(&identities) {
            self.put(gone, pod, None);
        }
        for (identity, mut entry) in entries {
            let mut under_way_since = None;
            if let PodState::UnderWay { late, .. } = &mut entry.state {
                let since = self.since(&identity, pod).unwrap_or(now);
                *late = now >= since + USUAL_WAIT;
                under_way_since = Some(since);
            }
            let since = under_way_since;
            self.put(&identity, pod, Some(TimedEntry { entry, since }));
        }
    }

    /// Since when a pod is under way to an identity, if it was when this was last set.
    fn since(&self, identity: &ObjectKey, pod: &ObjectKey) -> Option<Instant> {
        self.entries.get(identity)?.get(pod)?.since
    }

    fn put(&mut self, identity: &ObjectKey, pod: &ObjectKey, entry: Option<TimedEntry>) {
        let late_from = |entry: &TimedEntry| Some((entry.late_from()?, pod.clone()));
        let pods = self.entries.entry(identity.clone()).or_default();
        let (wait, before) = match entry {
            Some(entry) => {
                let wait = late_from(&entry);
                if pods.get(pod) == Some(&entry) {
                    return;
                }
                (wait, pods.insert(pod.clone(), entry))
            }
            None => (None, pods.remove(pod)),
        };
        if pods.is_empty() {
            self.entries.remove(identity);
        }
        if let Some(wait) = before.as_ref().and_then(late_from) {
            self.waits.remove(&wait);
        }
        self.waits.extend(wait);
        self.dirty.insert(identity.clone());
    }

    /// The counts that are other than when this was last asked, by AzureIdentity.
    pub(super) fn take_dirty(&mut self) -> BTreeMap<ObjectKey, BoundPods> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .map(|identity| (identity.clone(), self.sum(&identity)))
            .collect()
    }

    fn sum(&self, identity: &ObjectKey) -> BoundPods {
        let mut sum = BoundPods::default();
        for (pod, timed) in self.entries.get(identity).into_iter().flatten() {
            sum.add(&pod.name, &timed.entry.state, &timed.entry.audited);
        }
        sum
    }

    /// When the wait of a pod becomes longer than usual.
    pub(super) fn next_late(&self) -> Option<Instant> {
        self.waits.first().map(|(at, _)| *at)
    }

    /// Pods whose wait has become longer than usual; to be [set](Self::set) again.
    pub(super) fn take_late(&mut self) -> Vec<ObjectKey> {
        let now = Instant::now();
        let mut late = Vec::new();
        while self.waits.first().is_some_and(|(at, _)| *at <= now) {
            late.extend(self.waits.pop_first().map(|(_, pod)| pod));
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use podid_core::assigned_identity::AssignmentFailure;
    use std::time::Duration;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("apps", name)
    }

    fn entries(state: PodState) -> BTreeMap<ObjectKey, PodCountEntry> {
        let entry = PodCountEntry {
            state,
            audited: BTreeSet::new(),
        };
        BTreeMap::from([(key("id"), entry)])
    }

    fn under_way_since_now(trouble: Option<AssignmentFailure>) -> PodState {
        PodState::UnderWay {
            late: false,
            trouble,
        }
    }

    fn changed(counts: &mut PodCounts) -> Option<(usize, usize, usize, usize)> {
        let mut dirty = counts.take_dirty();
        let sum = dirty.remove(&key("id"))?;
        let late = sum.late.values().sum();
        Some((sum.bound, sum.assigned, sum.under_way, late))
    }

    #[tokio::test(start_paused = true)]
    async fn pods_are_counted_as_they_come_change_and_go() {
        let mut counts = PodCounts::default();
        counts.set(&key("a"), entries(under_way_since_now(None)));
        counts.set(&key("b"), entries(PodState::Assigned));
        assert_eq!(changed(&mut counts), Some((2, 1, 1, 0)));
        counts.set(&key("b"), entries(PodState::Assigned));
        assert_eq!(changed(&mut counts), None, "nothing new");
        counts.set(&key("a"), entries(PodState::Assigned));
        assert_eq!(changed(&mut counts), Some((2, 2, 0, 0)));
        assert_eq!(counts.next_late(), None);
        assert!(
            counts.entries[&key("id")].keys().collect::<BTreeSet<_>>()
                == BTreeSet::from([&key("a"), &key("b")])
        );
        for pod in ["a", "b"] {
            counts.set(&key(pod), BTreeMap::new());
        }
        assert_eq!(changed(&mut counts), Some((0, 0, 0, 0)));
        assert!(counts.entries.is_empty() && counts.identities_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_measured_from_its_beginning_whatever_is_said_meanwhile() {
        let mut counts = PodCounts::default();
        let under_way = |reason: Option<&str>| {
            entries(under_way_since_now(reason.map(|reason| {
                AssignmentFailure {
                    reason: reason.into(),
                    message: String::new(),
                }
            })))
        };
        counts.set(&key("a"), under_way(None));
        let due = counts.next_late().expect("it waits");
        tokio::time::advance(USUAL_WAIT / 2).await;
        counts.set(&key("a"), under_way(Some("Throttled")));
        assert_eq!(counts.next_late(), Some(due));
        assert_eq!(counts.take_late(), []);
        tokio::time::advance(USUAL_WAIT / 2 + Duration::from_millis(1)).await;
        assert_eq!(counts.take_late(), [key("a")]);
        counts.set(&key("a"), under_way(Some("Throttled")));
        assert_eq!(changed(&mut counts), Some((1, 0, 0, 1)));
        assert_eq!(counts.next_late(), None, "said once");
        counts.set(&key("a"), entries(PodState::Assigned));
        counts.set(&key("a"), under_way(None));
        assert_eq!(changed(&mut counts), Some((1, 0, 1, 0)), "a new wait");
    }
}
