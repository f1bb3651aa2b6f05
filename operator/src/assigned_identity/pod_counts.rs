//! Counts the pods of each profile by state, one changed pod at a time, and publishes the counts.

use std::collections::BTreeMap;

use podid_core::profile::pods::{PodCounts, pod_count_entries};
use podid_index::ObjectKey;
use podid_runtime::BoxError;
use podid_runtime::wait::sleep_until;

use super::shared_index::SharedIndex;
use super::view::AssignmentView;
use crate::clock::MonotonicClock;
use crate::dirty::DirtySet;

/// See the module.
pub(super) struct PodCounter {
    index: SharedIndex,
    dirty: DirtySet<ObjectKey>,
    counts: PodCounts,
    clock: MonotonicClock,
    assignment_view: AssignmentView,
}

impl PodCounter {
    pub(super) fn new(
        index: SharedIndex,
        dirty: DirtySet<ObjectKey>,
        assignment_view: AssignmentView,
    ) -> Self {
        Self {
            index,
            dirty,
            counts: PodCounts::default(),
            clock: MonotonicClock::start(),
            assignment_view,
        }
    }

    /// Counts the pods that changed so far.
    pub(super) fn update(&mut self) {
        for pod in self.dirty.take() {
            self.count(&pod);
        }
        self.publish();
    }

    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            let late = self.counts.next_late().map(|late| self.clock.instant(late));
            tokio::select! {
                pods = self.dirty.next() => pods.iter().for_each(|pod| self.count(pod)),
                () = sleep_until(late) => {
                    let late = self.counts.take_late(self.clock.now());
                    late.iter().for_each(|pod| self.count(pod));
                }
            }
            self.publish();
        }
    }

    fn count(&mut self, pod: &ObjectKey) {
        let entries = self.index.read_pod(pod, |view, _| match view {
            Some(view) => pod_count_entries(view.observed.pod, view.identities, &view.progress),
            None => BTreeMap::new(),
        });
        self.counts.set(pod, entries, self.clock.now());
    }

    fn publish(&mut self) {
        for (identity, pods) in self.counts.take_dirty() {
            self.assignment_view.set_bound_pods(&identity, pods);
        }
    }
}
