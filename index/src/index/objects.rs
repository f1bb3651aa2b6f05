use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::{AzureIdentity, Binding};
use podid_core::resolve::Exception;
use podid_core::target::{NodeTargetError, Target};

use super::derive::{PodObjects, PodOnNode};
use super::multi::Multi;
use crate::ObjectKey;

/// All objects but the pods, arranged so that those that concern one pod are found without a look at those
/// of others.
#[derive(Debug, Default)]
pub(super) struct Objects {
    nodes: HashMap<String, Result<Target, NodeTargetError>>,
    bindings: HashMap<ObjectKey, Binding>,
    identities: HashMap<ObjectKey, AzureIdentity>,
    exceptions: HashMap<ObjectKey, Exception>,
    assigned: HashMap<ObjectKey, AssignedIdentity>,
    /// Bindings by the value of the pod label that they select.
    bindings_selecting: Multi<String, ObjectKey>,
    /// Bindings by the AzureIdentity that they name.
    bindings_naming: Multi<ObjectKey, ObjectKey>,
    exceptions_in: Multi<String, ObjectKey>,
    /// AzureAssignedIdentities by the uid of the pod that owns them.
    assigned_to: Multi<String, ObjectKey>,
}

impl Objects {
    pub(super) fn identity(&self, key: &ObjectKey) -> Option<&AzureIdentity> {
        self.identities.get(key)
    }

    /// Whether this is a change.
    pub(super) fn set_node(
        &mut self,
        name: &str,
        target: Option<Result<Target, NodeTargetError>>,
    ) -> bool {
        replace(&mut self.nodes, &name.to_owned(), target).is_some()
    }

    /// Whether this is a change.
    pub(super) fn set_identity(
        &mut self,
        key: &ObjectKey,
        identity: Option<AzureIdentity>,
    ) -> bool {
        replace(&mut self.identities, key, identity).is_some()
    }

    /// The values of the pod label whose pods this concerns.
    pub(super) fn set_binding(
        &mut self,
        key: &ObjectKey,
        binding: Option<Binding>,
    ) -> BTreeSet<String> {
        let Some(before) = replace(&mut self.bindings, key, binding) else {
            return BTreeSet::new();
        };
        let mut selectors = BTreeSet::new();
        if let Some(old) = before {
            self.bindings_selecting.remove(&old.selector, key);
            self.bindings_naming.remove(&identity_of(&old), key);
            selectors.insert(old.selector);
        }
        if let Some(new) = self.bindings.get(key) {
            selectors.insert(new.selector.clone());
            self.bindings_selecting
                .insert(new.selector.clone(), key.clone());
            self.bindings_naming.insert(identity_of(new), key.clone());
        }
        selectors
    }

    /// Whether this is a change. It concerns the pods of the exception's own namespace.
    pub(super) fn set_exception(&mut self, key: &ObjectKey, exception: Option<Exception>) -> bool {
        if replace(&mut self.exceptions, key, exception).is_none() {
            return false;
        }
        match self.exceptions.contains_key(key) {
            true => self
                .exceptions_in
                .insert(key.namespace.clone(), key.clone()),
            false => self.exceptions_in.remove(&key.namespace, key),
        };
        true
    }

    /// The uids of the pods that this concerns.
    pub(super) fn set_assigned(
        &mut self,
        key: &ObjectKey,
        assigned: Option<AssignedIdentity>,
    ) -> BTreeSet<String> {
        let Some(before) = replace(&mut self.assigned, key, assigned) else {
            return BTreeSet::new();
        };
        let mut uids = BTreeSet::new();
        if let Some(old) = before {
            self.assigned_to.remove(&old.pod_uid, key);
            uids.insert(old.pod_uid);
        }
        if let Some(new) = self.assigned.get(key) {
            self.assigned_to.insert(new.pod_uid.clone(), key.clone());
            uids.insert(new.pod_uid.clone());
        }
        uids
    }

    /// The values of the pod label that bindings to this AzureIdentity select.
    pub(super) fn selectors_naming(&self, identity: &ObjectKey) -> BTreeSet<String> {
        let bindings = self.bindings_naming.get(identity).into_iter().flatten();
        bindings
            .filter_map(|binding| self.bindings.get(binding))
            .map(|binding| binding.selector.clone())
            .collect()
    }

    /// All objects that concern a pod.
    pub(super) fn of_pod<'a, P: PodOnNode>(&'a self, pod: &'a P) -> PodObjects<'a, P> {
        let of_pod = pod.pod();
        // A pod without the label is selected by nothing, also not by an empty selector.
        let selecting = of_pod.selector.as_ref();
        let selecting = selecting.and_then(|value| self.bindings_selecting.get(value));
        let bindings: Vec<&Binding> = found(selecting, &self.bindings).collect();
        let named: BTreeSet<ObjectKey> = bindings.iter().map(|one| identity_of(one)).collect();
        let exceptions = self.exceptions_in.get(&of_pod.namespace);
        let assigned = self.assigned_to.get(&of_pod.uid).into_iter().flatten();
        PodObjects {
            pod,
            target: self.nodes.get(pod.node()),
            identities: found(Some(&named), &self.identities).collect(),
            bindings,
            exceptions: found(exceptions, &self.exceptions).collect(),
            assigned: assigned
                .filter_map(|key| self.assigned.get_key_value(key))
                .collect(),
        }
    }
}

fn found<'a, V>(
    keys: Option<&BTreeSet<ObjectKey>>,
    all: &'a HashMap<ObjectKey, V>,
) -> impl Iterator<Item = &'a V> {
    keys.into_iter().flatten().filter_map(|key| all.get(key))
}

fn identity_of(binding: &Binding) -> ObjectKey {
    ObjectKey::new(&binding.namespace, &binding.identity)
}

/// Sets or removes a value. What was there before; `None` when nothing changed.
pub(super) fn replace<K: Clone + Eq + Hash, V: PartialEq>(
    map: &mut HashMap<K, V>,
    key: &K,
    value: Option<V>,
) -> Option<Option<V>> {
    if map.get(key) == value.as_ref() {
        return None;
    }
    Some(match value {
        Some(value) => map.insert(key.clone(), value),
        None => map.remove(key),
    })
}
