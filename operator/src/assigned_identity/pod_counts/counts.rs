//! What the pods of each profile's AzureIdentity come to, kept up to date one pod at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use podid_core::profile::pods::{BoundPods, PodState, USUAL_WAIT};
use tokio::time::Instant;

use crate::assigned_identity::pod_state::{Row, Stage};

use podid_index::ObjectKey;

#[derive(Debug, Default)]
pub(in crate::assigned_identity) struct Tally {
    rows: HashMap<ObjectKey, BTreeMap<ObjectKey, Kept>>,
    identities_of: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    dirty: BTreeSet<ObjectKey>,
    /// Pods whose wait is longer than usual from then on.
    waits: BTreeSet<(Instant, ObjectKey)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    row: Row,
    /// Since when it is under way.
    since: Option<Instant>,
    late: bool,
}

impl Tally {
    /// What a pod comes to, by AzureIdentity; none when it is gone or bound to none.
    pub(super) fn set(&mut self, pod: &ObjectKey, rows: BTreeMap<ObjectKey, Row>) {
        let now = Instant::now();
        let identities: BTreeSet<ObjectKey> = rows.keys().cloned().collect();
        let before = match identities.is_empty() {
            true => self.identities_of.remove(pod),
            false => self.identities_of.insert(pod.clone(), identities.clone()),
        };
        for gone in before.unwrap_or_default().difference(&identities) {
            self.put(gone, pod, None);
        }
        for (identity, row) in rows {
            let since = matches!(row.stage, Stage::UnderWay(_)).then(|| {
                let before = self.rows.get(&identity).and_then(|pods| pods.get(pod));
                before.and_then(|before| before.since).unwrap_or(now)
            });
            let late = since.is_some_and(|since| now >= since + USUAL_WAIT);
            self.put(&identity, pod, Some(Kept { row, since, late }));
        }
    }

    fn put(&mut self, identity: &ObjectKey, pod: &ObjectKey, kept: Option<Kept>) {
        let end = |kept: &Kept| {
            let since = kept.since.filter(|_| !kept.late)?;
            Some((since + USUAL_WAIT, pod.clone()))
        };
        let pods = self.rows.entry(identity.clone()).or_default();
        let (ends, before) = match kept {
            Some(kept) => {
                let ends = end(&kept);
                if pods.get(pod) == Some(&kept) {
                    return;
                }
                (ends, pods.insert(pod.clone(), kept))
            }
            None => (None, pods.remove(pod)),
        };
        if pods.is_empty() {
            self.rows.remove(identity);
        }
        if let Some(wait) = before.as_ref().and_then(end) {
            self.waits.remove(&wait);
        }
        self.waits.extend(ends);
        self.dirty.insert(identity.clone());
    }

    /// The AzureIdentities whose pods come to something else than when this was last asked.
    pub(super) fn take_dirty(&mut self) -> BTreeMap<ObjectKey, BoundPods> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty
            .into_iter()
            .map(|identity| (identity.clone(), self.sum(&identity)))
            .collect()
    }

    fn sum(&self, identity: &ObjectKey) -> BoundPods {
        let mut sum = BoundPods::default();
        for (pod, kept) in self.rows.get(identity).into_iter().flatten() {
            let state = match &kept.row.stage {
                Stage::Assigned => PodState::Assigned,
                Stage::UnderWay(trouble) => PodState::UnderWay {
                    late: kept.late,
                    trouble: trouble.clone(),
                },
                Stage::Failed(failure) => PodState::Failed(failure.clone()),
                Stage::Refused(breaches) => PodState::Refused(breaches.clone()),
            };
            sum.add(&pod.name, &state, &kept.row.audited);
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

    fn rows(stage: Stage) -> BTreeMap<ObjectKey, Row> {
        let row = Row {
            stage,
            audited: BTreeSet::new(),
        };
        BTreeMap::from([(key("id"), row)])
    }

    fn counts(tally: &mut Tally) -> Option<(usize, usize, usize, usize)> {
        let mut dirty = tally.take_dirty();
        let sum = dirty.remove(&key("id"))?;
        let late = sum.late.values().sum();
        Some((sum.bound, sum.assigned, sum.under_way, late))
    }

    #[tokio::test(start_paused = true)]
    async fn pods_are_counted_as_they_come_change_and_go() {
        let mut tally = Tally::default();
        tally.set(&key("a"), rows(Stage::UnderWay(None)));
        tally.set(&key("b"), rows(Stage::Assigned));
        assert_eq!(counts(&mut tally), Some((2, 1, 1, 0)));
        tally.set(&key("b"), rows(Stage::Assigned));
        assert_eq!(counts(&mut tally), None, "nothing new");
        tally.set(&key("a"), rows(Stage::Assigned));
        assert_eq!(counts(&mut tally), Some((2, 2, 0, 0)));
        assert_eq!(tally.next_late(), None);
        assert!(
            tally.rows[&key("id")].keys().collect::<BTreeSet<_>>()
                == BTreeSet::from([&key("a"), &key("b")])
        );
        for pod in ["a", "b"] {
            tally.set(&key(pod), BTreeMap::new());
        }
        assert_eq!(counts(&mut tally), Some((0, 0, 0, 0)));
        assert!(tally.rows.is_empty() && tally.identities_of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_measured_from_its_beginning_whatever_is_said_meanwhile() {
        let mut tally = Tally::default();
        let under_way = |reason: Option<&str>| {
            rows(Stage::UnderWay(reason.map(|reason| AssignmentFailure {
                reason: reason.into(),
                message: String::new(),
            })))
        };
        tally.set(&key("a"), under_way(None));
        let due = tally.next_late().expect("it waits");
        tokio::time::advance(USUAL_WAIT / 2).await;
        tally.set(&key("a"), under_way(Some("Throttled")));
        assert_eq!(tally.next_late(), Some(due));
        assert_eq!(tally.take_late(), []);
        tokio::time::advance(USUAL_WAIT / 2 + Duration::from_millis(1)).await;
        assert_eq!(tally.take_late(), [key("a")]);
        tally.set(&key("a"), under_way(Some("Throttled")));
        assert_eq!(counts(&mut tally), Some((1, 0, 0, 1)));
        assert_eq!(tally.next_late(), None, "said once");
        tally.set(&key("a"), rows(Stage::Assigned));
        tally.set(&key("a"), under_way(None));
        assert_eq!(counts(&mut tally), Some((1, 0, 1, 0)), "a new wait");
    }
}
