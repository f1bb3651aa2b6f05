//! An incremental index: what follows for each pod, worked out again only where a change concerns it.
//!
//! Every lookup goes through a map, so that the work for one change grows with what it concerns and
//! not with the cluster.

mod derive;
mod multi;
mod objects;
mod pods;

use std::collections::BTreeSet;

use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::{AzureIdentity, Binding};
use podid_core::resolve::Exception;
use podid_core::target::{NodeTargetError, Target};

pub use derive::{Derive, PodObjects, PodOnNode};
pub use multi::Multi;

use crate::ObjectKey;
use objects::Objects;
use pods::{PodEntry, Pods};

/// See the module. Facts arrive in any order; the same fact again changes nothing.
#[derive(Debug)]
pub struct Index<D: Derive> {
    derive: D,
    pods: Pods<D>,
    objects: Objects,
    changed: BTreeSet<ObjectKey>,
    visited: usize,
}

impl<D: Derive> Index<D> {
    /// Knows no object yet.
    #[must_use]
    pub fn new(derive: D) -> Self {
        Self {
            derive,
            pods: Pods::default(),
            objects: Objects::default(),
            changed: BTreeSet::new(),
            visited: 0,
        }
    }

    /// The pods that came, went, or for which something else follows, since this was last called.
    pub fn take_changed(&mut self) -> BTreeSet<ObjectKey> {
        std::mem::take(&mut self.changed)
    }

    /// How many objects were looked at since this was last called: the work that changes have caused.
    pub fn take_visited(&mut self) -> usize {
        std::mem::take(&mut self.visited)
    }

    /// The deriving value, with the maps that it keeps.
    #[must_use]
    pub fn derive(&self) -> &D {
        &self.derive
    }

    /// The deriving value, to be changed. After a change of what [`Derive::derive`] depends on, call
    /// [`rederive`](Self::rederive) or [`rederive_naming`](Self::rederive_naming).
    pub fn derive_mut(&mut self) -> &mut D {
        &mut self.derive
    }

    /// A pod as it was last [set](Self::set_pod).
    #[must_use]
    pub fn pod(&self, key: &ObjectKey) -> Option<&D::Pod> {
        self.pods.get(key).map(|entry| &entry.pod)
    }

    /// What follows for a pod; `None` for one that is not there.
    #[must_use]
    pub fn output(&self, key: &ObjectKey) -> Option<&D::Output> {
        self.pods.get(key).map(|entry| &entry.output)
    }

    /// An AzureIdentity as it was last [set](Self::set_identity).
    #[must_use]
    pub fn identity(&self, key: &ObjectKey) -> Option<&AzureIdentity> {
        self.objects.identity(key)
    }

    /// A pod is there, or is not or does not count (`None`).
    pub fn set_pod(&mut self, key: &ObjectKey, pod: Option<D::Pod>) {
        if self.pod(key) == pod.as_ref() {
            return;
        }
        // Removed and inserted anew, because what the pod is found by may have changed with it.
        let before = self.pods.remove(key).map(|entry| entry.output);
        if let Some(pod) = pod {
            let output = self.derive_for(&pod);
            self.pods.insert(key.clone(), PodEntry { pod, output });
        }
        self.changed.insert(key.clone());
        let after = self.pods.get(key).map(|entry| &entry.output);
        if before.as_ref() != after {
            self.derive.changed(key, before.as_ref(), after);
        }
    }

    /// A node is there, on this VM or scale set, or is not (`None`).
    pub fn set_node(&mut self, name: &str, target: Option<Result<Target, NodeTargetError>>) {
        if self.objects.set_node(name, target) {
            let pods = self.pods.on_node(name);
            self.rederive(&pods);
        }
    }

    /// A binding is there, or is not (`None`).
    pub fn set_binding(&mut self, key: &ObjectKey, binding: Option<Binding>) {
        let selectors = self.objects.set_binding(key, binding);
        self.rederive_selecting(&selectors);
    }

    /// An AzureIdentity is there, or is not or does not count (`None`).
    pub fn set_identity(&mut self, key: &ObjectKey, identity: Option<AzureIdentity>) {
        if self.objects.set_identity(key, identity) {
            self.rederive_naming(key);
        }
    }

    /// An exception is there, or is not (`None`).
    pub fn set_exception(&mut self, key: &ObjectKey, exception: Option<Exception>) {
        if self.objects.set_exception(key, exception) {
            let pods = self.pods.in_namespace(&key.namespace);
            self.rederive(&pods);
        }
    }

    /// An AzureAssignedIdentity is there, or is not or is for no pod (`None`).
    pub fn set_assigned(&mut self, key: &ObjectKey, assigned: Option<AssignedIdentity>) {
        let uids = self.objects.set_assigned(key, assigned);
        let pods = uids.iter().flat_map(|uid| self.pods.of_uid(uid)).collect();
        self.rederive(&pods);
    }

    /// Derives again for the pods that bindings give this AzureIdentity.
    pub fn rederive_naming(&mut self, identity: &ObjectKey) {
        let selectors = self.objects.selectors_naming(identity);
        self.rederive_selecting(&selectors);
    }

    fn rederive_selecting(&mut self, selectors: &BTreeSet<String>) {
        self.visited += selectors.len();
        let pods = selectors
            .iter()
            .flat_map(|value| self.pods.selecting(value))
            .collect();
        self.rederive(&pods);
    }

    /// Derives again for these pods.
    pub fn rederive(&mut self, pods: &BTreeSet<ObjectKey>) {
        for key in pods {
            let Some(entry) = self.pods.get(key) else {
                continue;
            };
            let objects = self.objects.of_pod(&entry.pod);
            self.visited += objects.count();
            let output = self.derive.derive(&objects);
            // The same as before: the owner is spared the work for a change without effect.
            if output == entry.output {
                continue;
            }
            if let Some(entry) = self.pods.get_mut(key) {
                let before = std::mem::replace(&mut entry.output, output);
                self.derive.changed(key, Some(&before), Some(&entry.output));
                self.changed.insert(key.clone());
            }
        }
    }

    fn derive_for(&mut self, pod: &D::Pod) -> D::Output {
        let objects = self.objects.of_pod(pod);
        self.visited += objects.count();
        self.derive.derive(&objects)
    }
}

#[cfg(test)]
mod tests;
