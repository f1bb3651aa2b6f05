//! Brings the AzureAssignedIdentities of each pod to what is true: one write at a time for a pod, few at
//! once for all.

mod unassigned_uses;
mod work_queue;
mod write;

use std::error::Error;

use kube::Client;
use podid_core::assigned_identity::{
    AssignedIdentityPlan, AssignmentState, assigned_identities, plan_assigned_identities,
};
use podid_index::ObjectKey;
use podid_runtime::BoxError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::metrics::AssignedIdentityMetrics;
use super::shared_index::SharedIndex;
use crate::dirty::DirtySet;
use unassigned_uses::UnassignedUses;
use work_queue::WorkQueue;
use write::{Written, write};

/// An AzureAssignedIdentity that was written as `Assigned`: its pod, and namespace/name of the AzureIdentity.
pub(super) type NewlyAssigned = (ObjectKey, String);

/// See the module.
pub(super) struct Objects {
    client: Client,
    index: SharedIndex,
    dirty: DirtySet<ObjectKey>,
    assigned: mpsc::UnboundedSender<NewlyAssigned>,
    metrics: AssignedIdentityMetrics,
    queue: WorkQueue,
    unassigned_uses: UnassignedUses,
    tasks: JoinSet<Ended>,
}

/// How a task of this part ended.
enum Ended {
    Wrote(ObjectKey, Written),
    /// The wait before another attempt is over.
    Due(ObjectKey),
}

impl Objects {
    /// Pods come by `dirty`; each one written as `Assigned` goes to `assigned`.
    pub(super) fn new(
        client: Client,
        index: SharedIndex,
        dirty: DirtySet<ObjectKey>,
        assigned: mpsc::UnboundedSender<NewlyAssigned>,
        metrics: AssignedIdentityMetrics,
    ) -> Self {
        Self {
            client,
            index,
            dirty,
            assigned,
            metrics,
            queue: WorkQueue::default(),
            unassigned_uses: UnassignedUses::default(),
            tasks: JoinSet::new(),
        }
    }

    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                pods = self.dirty.next() => pods.into_iter().for_each(|pod| self.queue.request(pod)),
                Some(ended) = self.tasks.join_next() => match ended? {
                    Ended::Wrote(pod, written) => self.wrote(pod, written),
                    Ended::Due(pod) => self.queue.request(pod),
                },
            }
            while let Some(pod) = self.queue.start_next() {
                self.start(pod);
            }
        }
    }

    /// Compares the objects of a pod with their desired content, and writes them if they differ.
    fn start(&mut self, key: ObjectKey) {
        let (pod, waiting, plan) = self.index.read_pod(&key, |view, existing| {
            let desired = view.as_ref();
            let desired = desired.map(|view| assigned_identities(&view.observed, &view.progress));
            let desired = desired.unwrap_or_default();
            let created = desired.values();
            let created = created.filter(|content| content.state == AssignmentState::Created);
            let plan = plan_assigned_identities(&desired, existing);
            let pod = view.map(|view| view.observed.pod.clone());
            (pod, created.count(), plan)
        });
        self.metrics
            .set_unassigned_uses(self.unassigned_uses.set(&key, waiting));
        if plan == AssignedIdentityPlan::default() {
            self.queue.succeeded(&key);
            return;
        }
        let (client, namespace) = (self.client.clone(), key.namespace.clone());
        self.tasks
            .spawn(async move { Ended::Wrote(key, write(client, namespace, pod, plan).await) });
    }

    fn wrote(&mut self, key: ObjectKey, written: Written) {
        for name in &written.deleted {
            self.index
                .set_written(&ObjectKey::new(&key.namespace, name), None);
        }
        for (name, seen) in written.applied {
            if let Some((identity, AssignmentState::Assigned)) = seen.progress() {
                // Nobody receives any more while the operator stops.
                let _stopping = self.assigned.send((key.clone(), identity));
            }
            let object = ObjectKey::new(&key.namespace, name);
            self.index.set_written(&object, Some(seen));
        }
        let Some(error) = written.error else {
            self.queue.succeeded(&key);
            return;
        };
        let wait = self.queue.failed(&key);
        self.metrics.object_failed();
        let error = &error as &dyn Error;
        tracing::warn!(pod = %key, error, ?wait, "AzureAssignedIdentities not written; trying again");
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            Ended::Due(key)
        });
    }
}
