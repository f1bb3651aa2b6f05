//! Which pods, hence which machines, a change concerns.
//!
//! Every lookup goes through an index, so that the work for one change grows with what it
//! concerns and not with the cluster.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use podid_core::arm::ArmId;
use podid_core::assignment::{Assignments, assignments_of};
use podid_core::binding::{Binding, Identity, Pod, Reach};
use podid_core::target::{ProviderIdError, Target};

use super::ObjectKey;

/// A pod that holds identities, on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlacedPod {
    pub(super) pod: Pod,
    pub(super) node: String,
}

/// A pod and what follows from everything else that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) placed: PlacedPod,
    /// The machine under the pod; `None` while its node is not known (yet, or any more).
    pub(super) machine: Option<Result<Target, ProviderIdError>>,
    pub(super) assignments: Assignments,
}

impl Entry {
    /// The machine that is to carry the pod's identities.
    pub(super) fn target(&self) -> Option<&Target> {
        self.machine.as_ref()?.as_ref().ok()
    }
}

/// What has to be looked at again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dirty {
    pub(super) pods: BTreeSet<ObjectKey>,
    pub(super) targets: BTreeSet<Target>,
    pub(super) identities: BTreeSet<ObjectKey>,
}

#[derive(Debug)]
pub(super) struct Index {
    reach: Reach,
    pods: HashMap<ObjectKey, Entry>,
    nodes: HashMap<String, Result<Target, ProviderIdError>>,
    bindings: HashMap<ObjectKey, Binding>,
    identities: HashMap<ObjectKey, Identity>,
    pods_on_node: Multi<String, ObjectKey>,
    pods_selecting: Multi<String, ObjectKey>,
    bindings_selecting: Multi<String, ObjectKey>,
    bindings_naming: Multi<ObjectKey, ObjectKey>,
    pods_bound_to: Multi<ObjectKey, ObjectKey>,
    users: BTreeMap<Target, Multi<ArmId, ObjectKey>>,
    dirty: Dirty,
}

impl Index {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            reach,
            pods: HashMap::new(),
            nodes: HashMap::new(),
            bindings: HashMap::new(),
            identities: HashMap::new(),
            pods_on_node: Multi::default(),
            pods_selecting: Multi::default(),
            bindings_selecting: Multi::default(),
            bindings_naming: Multi::default(),
            pods_bound_to: Multi::default(),
            users: BTreeMap::new(),
            dirty: Dirty::default(),
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// A pod, if it holds identities.
    pub(super) fn pod(&self, key: &ObjectKey) -> Option<&Entry> {
        self.pods.get(key)
    }

    /// The identities that a machine should carry.
    pub(super) fn desired(&self, target: &Target) -> BTreeSet<ArmId> {
        self.users
            .get(target)
            .map(|users| users.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The pods on a machine that use an identity.
    pub(super) fn users(&self, target: &Target, identity: &ArmId) -> Vec<ObjectKey> {
        let users = self.users.get(target).and_then(|users| users.get(identity));
        users.into_iter().flatten().cloned().collect()
    }

    /// How many pods are bound to an AzureIdentity.
    pub(super) fn bound_pods(&self, identity: &ObjectKey) -> usize {
        self.pods_bound_to.get(identity).map_or(0, BTreeSet::len)
    }

    pub(super) fn set_pod(&mut self, key: &ObjectKey, placed: Option<PlacedPod>) {
        if self.pods.get(key).map(|entry| &entry.placed) == placed.as_ref() {
            return;
        }
        if let Some(old) = self.pods.remove(key) {
            self.release(key, &old);
            self.pods_on_node.remove(&old.placed.node, key);
            self.pods_selecting.remove(selector_of(&old.placed), key);
        }
        self.dirty.pods.insert(key.clone());
        let Some(placed) = placed else { return };
        self.pods_on_node.insert(placed.node.clone(), key.clone());
        self.pods_selecting
            .insert(selector_of(&placed).to_owned(), key.clone());
        let entry = self.entry(placed);
        self.claim(key, &entry);
        self.pods.insert(key.clone(), entry);
    }

    pub(super) fn set_node(
        &mut self,
        name: &str,
        machine: Option<Result<Target, ProviderIdError>>,
    ) {
        if self.nodes.get(name) == machine.as_ref() {
            return;
        }
        set(&mut self.nodes, name.to_owned(), machine);
        let pods = self.pods_on_node.get(name).cloned().unwrap_or_default();
        self.refresh(&pods);
    }

    pub(super) fn set_binding(&mut self, key: &ObjectKey, binding: Option<Binding>) {
        if self.bindings.get(key) == binding.as_ref() {
            return;
        }
        let mut selectors = BTreeSet::new();
        if let Some(old) = self.bindings.remove(key) {
            self.bindings_selecting.remove(&old.selector, key);
            self.bindings_naming.remove(&identity_of(&old), key);
            selectors.insert(old.selector);
        }
        if let Some(binding) = binding {
            selectors.insert(binding.selector.clone());
            self.bindings_selecting
                .insert(binding.selector.clone(), key.clone());
            self.bindings_naming
                .insert(identity_of(&binding), key.clone());
            self.bindings.insert(key.clone(), binding);
        }
        self.refresh_selecting(&selectors);
    }

    pub(super) fn set_identity(&mut self, key: &ObjectKey, identity: Option<Identity>) {
        if self.identities.get(key) == identity.as_ref() {
            return;
        }
        set(&mut self.identities, key.clone(), identity);
        let bindings = self.bindings_naming.get(key).into_iter().flatten();
        let selectors = bindings
            .filter_map(|binding| self.bindings.get(binding))
            .map(|binding| binding.selector.clone())
            .collect();
        self.refresh_selecting(&selectors);
    }

    fn refresh_selecting(&mut self, selectors: &BTreeSet<String>) {
        let pods = selectors
            .iter()
            .filter_map(|selector| self.pods_selecting.get(selector))
            .flatten()
            .cloned()
            .collect();
        self.refresh(&pods);
    }

    /// Works out again what these pods are bound to, and where.
    fn refresh(&mut self, pods: &BTreeSet<ObjectKey>) {
        for key in pods {
            let Some(old) = self.pods.get(key).cloned() else {
                continue;
            };
            let new = self.entry(old.placed.clone());
            if new == old {
                continue;
            }
            self.release(key, &old);
            self.claim(key, &new);
            self.pods.insert(key.clone(), new);
            self.dirty.pods.insert(key.clone());
        }
    }

    fn entry(&self, placed: PlacedPod) -> Entry {
        let bindings = self
            .bindings_selecting
            .get(selector_of(&placed))
            .into_iter()
            .flatten();
        let bindings: Vec<&Binding> = bindings
            .filter_map(|binding| self.bindings.get(binding))
            .collect();
        let named: BTreeSet<ObjectKey> = bindings.iter().map(|b| identity_of(b)).collect();
        let identities = named
            .iter()
            .filter_map(|identity| self.identities.get(identity));
        let assignments = assignments_of(
            &placed.pod,
            bindings.iter().copied(),
            identities,
            self.reach,
        );
        Entry {
            machine: self.nodes.get(&placed.node).cloned(),
            placed,
            assignments,
        }
    }

    fn claim(&mut self, key: &ObjectKey, entry: &Entry) {
        for assignment in &entry.assignments.wanted {
            let identity = &assignment.identity;
            let object = ObjectKey::new(&identity.namespace, &identity.name);
            self.pods_bound_to.insert(object.clone(), key.clone());
            self.dirty.identities.insert(object);
            if let Some(target) = entry.target() {
                let users = self.users.entry(target.clone()).or_default();
                if users.insert(identity.resource_id.clone(), key.clone()) {
                    self.dirty.targets.insert(target.clone());
                }
            }
        }
    }

    fn release(&mut self, key: &ObjectKey, entry: &Entry) {
        for assignment in &entry.assignments.wanted {
            let identity = &assignment.identity;
            let object = ObjectKey::new(&identity.namespace, &identity.name);
            self.pods_bound_to.remove(&object, key);
            self.dirty.identities.insert(object);
            let Some(target) = entry.target() else {
                continue;
            };
            let Some(users) = self.users.get_mut(target) else {
                continue;
            };
            if users.remove(&identity.resource_id, key) {
                self.dirty.targets.insert(target.clone());
            }
            if users.is_empty() {
                self.users.remove(target);
            }
        }
    }
}

fn selector_of(placed: &PlacedPod) -> &str {
    placed.pod.selector.as_deref().unwrap_or_default()
}

fn identity_of(binding: &Binding) -> ObjectKey {
    ObjectKey::new(&binding.namespace, &binding.identity)
}

fn set<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

/// A map to sets that keeps no empty set.
#[derive(Clone, Debug)]
struct Multi<K, V>(HashMap<K, BTreeSet<V>>);

impl<K, V> Default for Multi<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord> Multi<K, V> {
    /// Whether this is the first value of the key.
    fn insert(&mut self, key: K, value: V) -> bool {
        let values = self.0.entry(key).or_default();
        values.insert(value) && values.len() == 1
    }

    /// Whether this was the last value of the key.
    fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, value: &V) -> bool
    where
        K: Borrow<Q>,
    {
        let Some(values) = self.0.get_mut(key) else {
            return false;
        };
        let last = values.remove(value) && values.is_empty();
        if last {
            self.0.remove(key);
        }
        last
    }

    fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&BTreeSet<V>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
