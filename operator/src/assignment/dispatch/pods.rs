//! One pod at a time: its AzureAssignedIdentities, its Events and its place in the tally.

use std::collections::BTreeMap;
use std::error::Error;

use podid_core::assigned_identity::{
    AssignedIdentityPlan, AssignmentState, assigned_identities, plan_assigned_identities,
};
use podid_core::target::ProviderIdError;

use super::{Dispatcher, Ended};
use crate::assignment::ObjectKey;
use crate::assignment::assess::{self, Assessed};
use crate::assignment::index::IndexedPod;
use crate::assignment::objects::{self, Said, Written};
use crate::assignment::warnings;

impl Dispatcher {
    /// Counts a pod.
    pub(super) fn count(&mut self, key: &ObjectKey) {
        let rows = match self.index.pod(key) {
            Some(entry) => {
                let said = self.observed.of_pod(key);
                assess::rows(entry, &self.assess(entry, &said))
            }
            None => BTreeMap::new(),
        };
        self.tally.set(key, rows);
    }

    /// Brings what the cluster says about a pod to what is true.
    pub(super) fn look_at(&mut self, key: ObjectKey) {
        let said = self.observed.of_pod(&key);
        let (mut desired, mut warnings) = (objects::Wanted::new(), Vec::new());
        let mut pod = None;
        if let Some(entry) = self.index.pod(&key) {
            let assessed = self.assess(entry, &said);
            desired = desired_objects(entry, &assessed);
            warnings = warnings::warnings(entry, &assessed);
            pod = Some(entry.placed.pod.clone());
        }
        let open = desired
            .values()
            .filter(|says| says.state == AssignmentState::Created)
            .count();
        let backlog = self.backlog.set(&key, open);
        self.context.metrics.set_backlog(backlog);
        match &pod {
            Some(pod) => self.pod_events.warn(pod, warnings),
            None => self.pod_events.forget(&key),
        }
        let plan = plan_assigned_identities(&desired, &said);
        if plan == AssignedIdentityPlan::default() {
            self.jobs.succeeded(&key);
            return;
        }
        let (client, namespace) = (self.context.client.clone(), key.namespace.clone());
        self.tasks.spawn(async move {
            Ended::Wrote(key, objects::write(client, namespace, pod, plan).await)
        });
    }

    fn assess<'a>(&self, entry: &'a IndexedPod, said: &Said) -> Vec<Assessed<'a>> {
        let status = entry
            .target()
            .and_then(|target| self.targets.status(target));
        assess::assess(entry, status, said)
    }

    pub(super) fn wrote(&mut self, key: ObjectKey, written: Written) {
        for name in &written.deleted {
            self.observed.remove(&ObjectKey::new(&key.namespace, name));
        }
        for (name, seen) in written.applied {
            if let (Some((identity, AssignmentState::Assigned)), Some(entry)) =
                (seen.progress(), self.index.pod(&key))
            {
                self.pod_events.assigned(&entry.placed.pod, &identity);
            }
            self.observed
                .set(&ObjectKey::new(&key.namespace, name), seen);
        }
        let Some(error) = written.error else {
            self.jobs.succeeded(&key);
            return;
        };
        let wait = self.jobs.failed(&key);
        self.context.metrics.object_failed();
        let error = &error as &dyn Error;
        tracing::warn!(pod = %key, error, ?wait, "AzureAssignedIdentities not written; trying again");
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            Ended::Due(key)
        });
    }
}

fn desired_objects(entry: &IndexedPod, assessed: &[Assessed<'_>]) -> objects::Wanted {
    // While nothing is known of the node's machine, there is nothing to say.
    if matches!(entry.machine, None | Some(Err(ProviderIdError::Empty))) {
        return objects::Wanted::new();
    }
    let (placed, wanted) = (&entry.placed, &entry.assignments.wanted);
    assigned_identities(&placed.pod, &placed.node, wanted, |_, identity| {
        let mut assessed = assessed.iter();
        let found = assessed.find(|one| one.assignment.identity == *identity);
        found.map_or(AssignmentState::Created, |one| one.state.clone())
    })
}
