//! The API server's objects, as far as this node needs them, arranged so that one pod's share is
//! found without looking at the cluster's.

mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use podid_core::binding::{Binding, Identity, Reach};
use podid_core::resolve::{Assignment, Exception};

pub(crate) use rows::{PodRow, assignment_row, binding_row, exception_row, identity_row, pod_row};
use table::Table;
pub(crate) use table::{Key, Update};

use crate::snapshot::Entry;

/// One event of a watch.
#[derive(Debug)]
pub(crate) enum Change {
    /// Of this node's pods.
    Pod(Update<PodRow>),
    /// Of AzureIdentities.
    Identity(Update<Identity>),
    /// Of AzureIdentityBindings.
    Binding(Update<Binding>),
    /// Of AzurePodIdentityExceptions.
    Exception(Update<Exception>),
    /// Of this node's AzureAssignedIdentities.
    Assignment(Update<Assignment>),
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
    identities: Table<Identity>,
    bindings: Table<Binding>,
    exceptions: Table<Exception>,
    assignments: Table<Assignment>,
    /// Bindings by the pod label they select.
    by_selector: BTreeMap<String, BTreeSet<Key>>,
    /// Assignments by the pod they are for.
    by_pod: BTreeMap<String, BTreeSet<Key>>,
}

impl World {
    /// Takes a change in.
    pub(crate) fn apply(&mut self, change: Change) -> Touched {
        match change {
            Change::Pod(update) => self
                .pods
                .apply(update)
                .map_or(Touched::Nobody, Touched::Pods),
            Change::Identity(update) => everybody(self.identities.apply(update)),
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
                if changed.is_some() {
                    self.by_pod = self.assignments.index(|made| made.pod_uid.clone());
                }
                everybody(changed)
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
    pub(crate) fn entry(&self, pod: &PodRow, reach: Reach) -> Entry {
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
        Entry {
            identities: named
                .iter()
                .filter_map(|key| self.identities.get(key))
                .cloned()
                .collect(),
            assignments: made
                .into_iter()
                .flatten()
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
        }
    }
}

fn everybody(changed: Option<BTreeSet<Key>>) -> Touched {
    changed.map_or(Touched::Nobody, |_| Touched::All)
}
