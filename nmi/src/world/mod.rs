//! The API server's objects, as far as this node needs them, arranged so that one pod's share is
//! found without looking at the cluster's.

mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use podid_core::binding::{AzureIdentity, Binding, BindingScope, Origin};
use podid_core::resolve::{Exception, TokenAssignment, TokenAssignmentState};

pub(crate) use rows::{PodRow, assignment_row, binding_row, exception_row, identity_row, pod_row};
use table::Table;
pub(crate) use table::Update;
use tokio::time::Instant;

use crate::key::Key;
use crate::snapshot::Entry;

/// One event of a watch.
#[derive(Debug)]
pub(crate) enum Change {
    /// Of this node's pods.
    Pod(Update<PodRow>),
    /// Of AzureIdentities.
    Identity(Update<AzureIdentity>),
    /// Of AzureIdentityBindings.
    Binding(Update<Binding>),
    /// Of AzurePodIdentityExceptions.
    Exception(Update<Exception>),
    /// Of this node's AzureAssignedIdentities.
    Assignment(Update<TokenAssignment>),
}

/// Which pods a change concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Nobody: the change says nothing new.
    Nobody,
    /// Pods by key.
    Pods(BTreeSet<Key>),
    /// Whoever is on the node.
    All,
}

/// All objects, by kind.
#[derive(Debug, Default)]
pub(crate) struct World {
    pods: Table<PodRow>,
    identities: Table<AzureIdentity>,
    bindings: Table<Binding>,
    exceptions: Table<Exception>,
    assignments: Table<TokenAssignment>,
    /// Bindings by the pod label they select.
    by_selector: BTreeMap<String, BTreeSet<Key>>,
    /// Assignments by the pod they are for.
    by_pod: BTreeMap<String, BTreeSet<Key>>,
    /// See [`Entry::of_profiles`].
    of_profiles: Arc<BTreeSet<String>>,
    /// Since when an assignment is known to be done, and for which pod.
    assigned: BTreeMap<Key, (String, Instant)>,
}

impl World {
    /// Takes a change in, which was seen `now`.
    pub(crate) fn apply(&mut self, change: Change, now: Instant) -> Touched {
        match change {
            Change::Pod(update) => self
                .pods
                .apply(update)
                .map_or(Touched::Nobody, Touched::Pods),
            Change::Identity(update) => {
                let changed = self.identities.apply(update);
                if changed.is_some() {
                    let all = self.identities.iter().map(|(_, identity)| identity);
                    let made = all.filter(|identity| identity.origin == Origin::Profile);
                    let ids = made.map(|identity| identity.client_id.to_ascii_lowercase());
                    self.of_profiles = Arc::new(ids.collect());
                }
                everybody(changed)
            }
            Change::Exception(update) => everybody(self.exceptions.apply(update)),
            Change::Binding(update) => {
                let changed = self.bindings.apply(update);
                if changed.is_some() {
                    self.by_selector = self.bindings.index(|binding| binding.selector.clone());
                }
                everybody(changed)
            }
            Change::Assignment(update) => {
                let changed = self.assignments.apply(update);
                if let Some(keys) = &changed {
                    self.date(keys, now);
                    self.by_pod = self.assignments.index(|made| made.pod_uid.clone());
                }
                everybody(changed)
            }
        }
    }

    /// Notes when the assignments of these names were first seen to be done.
    fn date(&mut self, keys: &BTreeSet<Key>, now: Instant) {
        for key in keys {
            let row = self.assignments.get(key);
            let done = row.filter(|row| row.state == TokenAssignmentState::Assigned);
            let known = self.assigned.get(key);
            match done {
                Some(row) if known.is_some_and(|(pod, _)| *pod == row.pod_uid) => {}
                Some(row) => {
                    let since = (row.pod_uid.clone(), now);
                    self.assigned.insert(key.clone(), since);
                }
                None => {
                    self.assigned.remove(key);
                }
            }
        }
    }

    /// Whether every kind has been listed once.
    pub(crate) fn is_complete(&self) -> bool {
        self.pods.is_listed()
            && self.identities.is_listed()
            && self.bindings.is_listed()
            && self.exceptions.is_listed()
            && self.assignments.is_listed()
    }

    /// The node's pods.
    pub(crate) fn pods(&self) -> impl Iterator<Item = (&Key, &PodRow)> {
        self.pods.iter()
    }

    /// A pod's share of all objects.
    pub(crate) fn entry(&self, pod: &PodRow, reach: BindingScope) -> Entry {
        let caller = pod.caller.clone();
        let selected = caller
            .pod
            .selector
            .as_ref()
            .and_then(|value| self.by_selector.get(value));
        let bindings: Vec<Binding> = selected
            .into_iter()
            .flatten()
            .filter_map(|key| self.bindings.get(key))
            .cloned()
            .collect();
        let named: BTreeSet<Key> = bindings
            .iter()
            .map(|binding| Key::new(&binding.namespace, &binding.identity))
            .collect();
        let made = self.by_pod.get(&caller.pod.uid);
        let made = || made.into_iter().flatten();
        Entry {
            assigned: made()
                .filter_map(|key| {
                    let (row, (_, since)) = (self.assignments.get(key)?, self.assigned.get(key)?);
                    Some((Key::new(&row.namespace, &row.identity), *since))
                })
                .collect(),
            identities: named
                .iter()
                .filter_map(|key| self.identities.get(key))
                .cloned()
                .collect(),
            assignments: made()
                .filter_map(|key| self.assignments.get(key))
                .cloned()
                .collect(),
            exceptions: self
                .exceptions
                .iter()
                .map(|(_, exception)| exception)
                .filter(|exception| exception.namespace == caller.pod.namespace)
                .cloned()
                .collect(),
            caller,
            bindings,
            reach,
            of_profiles: Arc::clone(&self.of_profiles),
        }
    }
}

fn everybody(changed: Option<BTreeSet<Key>>) -> Touched {
    changed.map_or(Touched::Nobody, |_| Touched::All)
}

#[cfg(test)]
mod tests;
