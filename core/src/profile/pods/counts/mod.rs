//! The pods of each profile's AzureIdentity by state, kept up to date one pod at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::PodCountEntry;
use super::{BoundPods, PodState, USUAL_WAIT};
use crate::moment::Moment;
use crate::object_key::ObjectKey;

/// The pods of each AzureIdentity by state. A pod is under way to an identity from when it is first
/// [set](Self::set) so until it is set otherwise, whatever it waits for meanwhile.
#[derive(Debug, Default)]
pub struct PodCounts {
    /// Pods by the AzureIdentity that they use.
    entries: HashMap<ObjectKey, BTreeMap<ObjectKey, TimedEntry>>,
    identities_of: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    dirty: BTreeSet<ObjectKey>,
    /// When the wait of each pod becomes longer than usual.
    waits: BTreeSet<(Moment, ObjectKey)>,
}

/// What one pod adds, and since when it waits.
#[derive(Debug, PartialEq, Eq)]
struct TimedEntry {
    entry: PodCountEntry,
    /// Since when it is under way; `None` while it is not.
    since: Option<Moment>,
}

impl TimedEntry {
    /// `since` is since when the pod was under way before, if it was.
    fn new(mut entry: PodCountEntry, since: Option<Moment>, now: Moment) -> Self {
        let PodState::UnderWay { late, .. } = &mut entry.state else {
            return Self { entry, since: None };
        };
        let since = since.unwrap_or(now);
        *late = now >= since + USUAL_WAIT;
        Self {
            entry,
            since: Some(since),
        }
    }

    /// When the wait becomes longer than usual; `None` if it is already or there is none.
    fn late_from(&self) -> Option<Moment> {
        let late = matches!(self.entry.state, PodState::UnderWay { late: true, .. });
        let since = self.since.filter(|_| !late)?;
        Some(since + USUAL_WAIT)
    }
}

impl PodCounts {
    /// Sets what a pod adds, by AzureIdentity: nothing when it is gone or bound to none. Whether it is late
    /// follows from `now`, which must never be earlier than the last time.
    pub fn set(
        &mut self,
        pod: &ObjectKey,
        entries: BTreeMap<ObjectKey, PodCountEntry>,
        now: Moment,
    ) {
        let identities: BTreeSet<ObjectKey> = entries.keys().cloned().collect();
        let before = match identities.is_empty() {
            true => self.identities_of.remove(pod),
            false => self.identities_of.insert(pod.clone(), identities.clone()),
        };
        for gone in before.unwrap_or_default().difference(&identities) {
            self.put(gone, pod, None);
        }
        for (identity, entry) in entries {
            let since = self.since(&identity, pod);
            self.put(&identity, pod, Some(TimedEntry::new(entry, since, now)));
        }
    }

    /// Since when a pod is under way to an identity, if it was when this was last set.
    fn since(&self, identity: &ObjectKey, pod: &ObjectKey) -> Option<Moment> {
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
    pub fn take_dirty(&mut self) -> BTreeMap<ObjectKey, BoundPods> {
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
    #[must_use]
    pub fn next_late(&self) -> Option<Moment> {
        self.waits.first().map(|(at, _)| *at)
    }

    /// Pods whose wait has become longer than usual; to be [set](Self::set) again.
    pub fn take_late(&mut self, now: Moment) -> Vec<ObjectKey> {
        let mut late = Vec::new();
        while self.waits.first().is_some_and(|(at, _)| *at <= now) {
            late.extend(self.waits.pop_first().map(|(_, pod)| pod));
        }
        late
    }
}

#[cfg(test)]
mod tests;
