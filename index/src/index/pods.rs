use std::collections::{BTreeSet, HashMap};

use super::derive::{Derive, PodOnNode};
use super::multi::Multi;
use crate::ObjectKey;

/// A pod and what follows for it.
#[derive(Debug)]
pub(super) struct PodEntry<P, O> {
    pub(super) pod: P,
    pub(super) output: O,
}

/// All pods, and by which properties a change of another object concerns them.
#[derive(Debug)]
pub(super) struct Pods<D: Derive> {
    entries: HashMap<ObjectKey, PodEntry<D::Pod, D::Output>>,
    on_node: Multi<String, ObjectKey>,
    /// By the value of the label that bindings select; pods without it are not among them.
    selecting: Multi<String, ObjectKey>,
    in_namespace: Multi<String, ObjectKey>,
    of_uid: Multi<String, ObjectKey>,
}

impl<D: Derive> Default for Pods<D> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            on_node: Multi::default(),
            selecting: Multi::default(),
            in_namespace: Multi::default(),
            of_uid: Multi::default(),
        }
    }
}

impl<D: Derive> Pods<D> {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&PodEntry<D::Pod, D::Output>> {
        self.entries.get(key)
    }

    /// The caller must not change node, label, namespace or uid of the pod: by these it is found.
    pub(super) fn get_mut(&mut self, key: &ObjectKey) -> Option<&mut PodEntry<D::Pod, D::Output>> {
        self.entries.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: ObjectKey, entry: PodEntry<D::Pod, D::Output>) {
        let (node, pod) = (entry.pod.node(), entry.pod.pod());
        self.on_node.insert(node.to_owned(), key.clone());
        if let Some(value) = &pod.selector {
            self.selecting.insert(value.clone(), key.clone());
        }
        self.in_namespace.insert(pod.namespace.clone(), key.clone());
        self.of_uid.insert(pod.uid.clone(), key.clone());
        self.entries.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<PodEntry<D::Pod, D::Output>> {
        let entry = self.entries.remove(key)?;
        let (node, pod) = (entry.pod.node(), entry.pod.pod());
        self.on_node.remove(node, key);
        if let Some(value) = &pod.selector {
            self.selecting.remove(value, key);
        }
        self.in_namespace.remove(&pod.namespace, key);
        self.of_uid.remove(&pod.uid, key);
        Some(entry)
    }

    pub(super) fn on_node(&self, name: &str) -> BTreeSet<ObjectKey> {
        self.on_node.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn selecting(&self, value: &str) -> BTreeSet<ObjectKey> {
        self.selecting.get(value).cloned().unwrap_or_default()
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> BTreeSet<ObjectKey> {
        self.in_namespace
            .get(namespace)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn of_uid(&self, uid: &str) -> BTreeSet<ObjectKey> {
        self.of_uid.get(uid).cloned().unwrap_or_default()
    }
}
