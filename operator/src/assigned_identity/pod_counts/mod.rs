//! Counts the pods of each profile, one changed pod at a time, and publishes what they come to.

mod counts;

use std::collections::BTreeMap;

use podid_index::ObjectKey;
use podid_runtime::BoxError;
use tokio::time::{Instant, sleep_until};

use super::assess;
use super::dirty::DirtySet;
use super::shared_index::SharedIndex;
use super::view::Assignments;
use counts::Tally;

/// See the module.
pub(super) struct PodCounter {
    index: SharedIndex,
    dirty: DirtySet<ObjectKey>,
    counts: Tally,
    assignments: Assignments,
}

impl PodCounter {
    pub(super) fn new(
        index: SharedIndex,
        dirty: DirtySet<ObjectKey>,
        assignments: Assignments,
    ) -> Self {
        Self {
            index,
            dirty,
            counts: Tally::default(),
            assignments,
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
            let late = self.counts.next_late();
            tokio::select! {
                pods = self.dirty.next() => pods.iter().for_each(|pod| self.count(pod)),
                () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => {
                    let late = self.counts.take_late();
                    late.iter().for_each(|pod| self.count(pod));
                }
            }
            self.publish();
        }
    }

    fn count(&mut self, pod: &ObjectKey) {
        let rows = self.index.read_pod(pod, |view, _| match view {
            Some(view) => assess::rows(view.pod, &view.identities),
            None => BTreeMap::new(),
        });
        self.counts.set(pod, rows);
    }

    fn publish(&mut self) {
        for (identity, pods) in self.counts.take_dirty() {
            self.assignments.set_bound_pods(&identity, pods);
        }
    }
}
