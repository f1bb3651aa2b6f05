//! Publishes Events on pods about the identities that they have or do not have.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | the task: which pods to look at, and when |
//! | `assignment_events` | which of it is due to be published, and the Events |

mod assignment_events;

use std::time::Duration;

use podid_core::assigned_identity::assignment_warnings;
use podid_index::ObjectKey;
use podid_runtime::BoxError;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::shared_index::SharedIndex;
use crate::dirty::DirtySet;
pub(super) use assignment_events::AssignmentEvents;

/// How often to see whether an Event is due to be repeated.
const BETWEEN_REPETITIONS: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct PodEvents {
    index: SharedIndex,
    dirty: DirtySet<ObjectKey>,
    /// Identities that have become `Assigned` in the AzureAssignedIdentity of a pod.
    assigned: mpsc::UnboundedReceiver<(ObjectKey, String)>,
    events: AssignmentEvents,
}

impl PodEvents {
    pub(super) fn new(
        index: SharedIndex,
        dirty: DirtySet<ObjectKey>,
        assigned: mpsc::UnboundedReceiver<(ObjectKey, String)>,
        events: AssignmentEvents,
    ) -> Self {
        Self {
            index,
            dirty,
            assigned,
            events,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        let mut ticks = interval_at(Instant::now() + BETWEEN_REPETITIONS, BETWEEN_REPETITIONS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                pods = self.dirty.next() => pods.iter().for_each(|pod| self.warn(pod)),
                Some((pod, identity)) = self.assigned.recv() => self.assigned(&pod, &identity),
                _ = ticks.tick() => self.events.due().iter().for_each(|pod| self.warn(pod)),
            }
        }
    }

    fn warn(&mut self, key: &ObjectKey) {
        let found = self.index.read_pod(key, |view, _| {
            let view = view?;
            let warnings = assignment_warnings(view.identities, &view.progress);
            Some((view.observed.pod.clone(), warnings))
        });
        match found {
            Some((pod, warnings)) => self.events.warn(&pod, warnings),
            None => self.events.forget(key),
        }
    }

    fn assigned(&mut self, key: &ObjectKey, identity: &str) {
        let pod = self
            .index
            .read_pod(key, |view, _| Some(view?.observed.pod.clone()));
        // A pod that is gone was forgotten, and must not be remembered again.
        if let Some(pod) = pod {
            self.events.assigned(&pod, identity);
        }
    }
}
