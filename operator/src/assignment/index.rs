//! Which pods, hence which machines, a change concerns.
//!
//! Every lookup goes through an index, so that the work for one change grows with what it
//! concerns and not with the cluster.

mod multi;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use podid_core::arm::ArmId;
use podid_core::binding::{AzureIdentity, Binding, BindingScope, Pod};
use podid_core::binding::{IdentityLookup, Verification, is_made_by_profile, verify};
use podid_core::binding::{PodIdentities, PodIdentity, pod_identities};
use podid_core::target::{DesiredIdentities, ProviderIdError, Target};

use super::ObjectKey;
use multi::Multi;

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
    pub(super) assignments: PodIdentities,
    /// How each wanted assignment stands, and whether Azure has to be asked for that.
    standings: Vec<(Verification, bool)>,
}

impl Entry {
    /// The wanted assignments, each with how it stands.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&PodIdentity, &Verification)> {
        let standings = self.standings.iter().map(|(verify, _)| verify);
        self.assignments.wanted.iter().zip(standings)
    }

    /// The managed identities about which Azure has to be asked.
    fn checks(&self) -> impl Iterator<Item = &ArmId> {
        let both = self.assignments.wanted.iter().zip(&self.standings);
        let asked = both.filter(|(_, (_, asked))| *asked);
        asked.map(|(wanted, _)| &wanted.identity.resource_id)
    }

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
    /// Managed identities about which Azure has to be asked, or need not be asked any more.
    pub(super) checks: BTreeSet<ArmId>,
}

#[derive(Debug)]
pub(super) struct Index {
    reach: BindingScope,
    pods: HashMap<ObjectKey, Entry>,
    nodes: HashMap<String, Result<Target, ProviderIdError>>,
    bindings: HashMap<ObjectKey, Binding>,
    identities: HashMap<ObjectKey, AzureIdentity>,
    /// The identity that each profile has in its status.
    recorded: HashMap<ObjectKey, ArmId>,
    /// What Azure said of managed identities.
    known: HashMap<ArmId, IdentityLookup>,
    pods_on_node: Multi<String, ObjectKey>,
    pods_selecting: Multi<String, ObjectKey>,
    bindings_selecting: Multi<String, ObjectKey>,
    bindings_naming: Multi<ObjectKey, ObjectKey>,
    /// The pods on each machine that use an identity…
    users: BTreeMap<Target, Multi<ArmId, ObjectKey>>,
    /// …with the client ids that they use it by…
    clients: BTreeMap<Target, Multi<(ArmId, String), ObjectKey>>,
    /// …and those for which it has to be checked first.
    unchecked: BTreeMap<Target, Multi<ArmId, ObjectKey>>,
    /// Pods by the managed identities about which Azure has to be asked.
    checking: Multi<ArmId, ObjectKey>,
    dirty: Dirty,
}

impl Index {
    pub(super) fn new(reach: BindingScope) -> Self {
        Self {
            reach,
            pods: HashMap::new(),
            nodes: HashMap::new(),
            bindings: HashMap::new(),
            identities: HashMap::new(),
            recorded: HashMap::new(),
            known: HashMap::new(),
            pods_on_node: Multi::default(),
            pods_selecting: Multi::default(),
            bindings_selecting: Multi::default(),
            bindings_naming: Multi::default(),
            users: BTreeMap::new(),
            clients: BTreeMap::new(),
            unchecked: BTreeMap::new(),
            checking: Multi::default(),
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

    /// What a machine should carry.
    pub(super) fn wanted(&self, target: &Target) -> DesiredIdentities {
        let ids = |users: &BTreeMap<Target, Multi<ArmId, ObjectKey>>| {
            let users = users.get(target);
            users.map(|users| users.keys().cloned().collect())
        };
        DesiredIdentities {
            desired: ids(&self.users).unwrap_or_default(),
            client_ids: self.client_ids(target),
            kept: ids(&self.unchecked).unwrap_or_default(),
        }
    }

    /// The client ids of what a machine should carry, as far as those who use it agree.
    fn client_ids(&self, target: &Target) -> BTreeMap<ArmId, String> {
        let mut agreed: BTreeMap<ArmId, Option<String>> = BTreeMap::new();
        let clients = self.clients.get(target).map(Multi::keys);
        for (id, client) in clients.into_iter().flatten() {
            let first = agreed.insert(id.clone(), Some(client.clone()));
            if first.is_some_and(|first| first.as_ref() != Some(client)) {
                agreed.insert(id.clone(), None);
            }
        }
        let agreed = agreed.into_iter();
        agreed
            .filter_map(|(id, client)| Some((id, client?)))
            .collect()
    }

    /// Whether pods need to know what Azure says of an identity.
    pub(super) fn needs_check(&self, identity: &ArmId) -> bool {
        self.checking.get(identity).is_some()
    }

    /// The pods on a machine that use an identity.
    pub(super) fn users(&self, target: &Target, identity: &ArmId) -> Vec<ObjectKey> {
        let users = self.users.get(target).and_then(|users| users.get(identity));
        users.into_iter().flatten().cloned().collect()
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

    pub(super) fn set_identity(&mut self, key: &ObjectKey, identity: Option<AzureIdentity>) {
        if self.identities.get(key) == identity.as_ref() {
            return;
        }
        set(&mut self.identities, key.clone(), identity);
        self.refresh_naming(key);
    }

    /// The identity that the profile of this namespace and name has in its status.
    pub(super) fn set_recorded(&mut self, profile: &ObjectKey, identity: Option<ArmId>) {
        if self.recorded.get(profile) == identity.as_ref() {
            return;
        }
        set(&mut self.recorded, profile.clone(), identity);
        // The AzureIdentity of a profile has the profile's name.
        self.refresh_naming(profile);
    }

    pub(super) fn recorded(&self, profile: &ObjectKey) -> Option<&ArmId> {
        self.recorded.get(profile)
    }

    /// What Azure says of a managed identity.
    pub(super) fn set_known(&mut self, identity: &ArmId, known: Option<IdentityLookup>) {
        if self.known.get(identity) == known.as_ref() {
            return;
        }
        set(&mut self.known, identity.clone(), known);
        let pods = self.checking.get(identity).cloned().unwrap_or_default();
        self.refresh(&pods);
    }

    fn refresh_naming(&mut self, identity: &ObjectKey) {
        let bindings = self.bindings_naming.get(identity).into_iter().flatten();
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
        let assignments = pod_identities(
            &placed.pod,
            bindings.iter().copied(),
            identities,
            self.reach,
        );
        let wanted = assignments.wanted.iter();
        let standings = wanted.map(|one| self.standing(&one.identity)).collect();
        Entry {
            machine: self.nodes.get(&placed.node).cloned(),
            placed,
            assignments,
            standings,
        }
    }

    /// How an identity stands, and whether Azure has to be asked for that.
    fn standing(&self, identity: &AzureIdentity) -> (Verification, bool) {
        let key = ObjectKey::new(&identity.namespace, &identity.name);
        let recorded = self.recorded.get(&key);
        let known = self.known.get(&identity.resource_id);
        let needs_azure = !is_made_by_profile(identity, recorded);
        (verify(identity, recorded, known), needs_azure)
    }

    fn claim(&mut self, key: &ObjectKey, entry: &Entry) {
        for id in entry.checks() {
            if self.checking.insert(id.clone(), key.clone()) {
                self.dirty.checks.insert(id.clone());
            }
        }
        for (assignment, verify) in entry.wanted() {
            let id = &assignment.identity.resource_id;
            let (Some(target), Some(users)) = (entry.target(), self.users_of(verify)) else {
                continue;
            };
            let users = users.entry(target.clone()).or_default();
            if users.insert(id.clone(), key.clone()) {
                self.dirty.targets.insert(target.clone());
            }
            if *verify == Verification::Verified {
                let client = (id.clone(), assignment.identity.client_id.clone());
                let clients = self.clients.entry(target.clone()).or_default();
                if clients.insert(client, key.clone()) {
                    self.dirty.targets.insert(target.clone());
                }
            }
        }
    }

    fn release(&mut self, key: &ObjectKey, entry: &Entry) {
        for id in entry.checks() {
            if self.checking.remove(id, key) {
                self.dirty.checks.insert(id.clone());
            }
        }
        for (assignment, verify) in entry.wanted() {
            let id = &assignment.identity.resource_id;
            let (Some(target), Some(users)) = (entry.target(), self.users_of(verify)) else {
                continue;
            };
            let mut last = remove_from(users, target, id, key);
            if *verify == Verification::Verified {
                let client = (id.clone(), assignment.identity.client_id.clone());
                last |= remove_from(&mut self.clients, target, &client, key);
            }
            if last {
                self.dirty.targets.insert(target.clone());
            }
        }
    }

    /// Where pods are noted for an identity that stands so.
    fn users_of(
        &mut self,
        verify: &Verification,
    ) -> Option<&mut BTreeMap<Target, Multi<ArmId, ObjectKey>>> {
        match verify {
            Verification::Verified => Some(&mut self.users),
            Verification::Pending(_) => Some(&mut self.unchecked),
            Verification::Refused(_) => None,
        }
    }
}

/// Whether this was the last pod of the key on the machine.
fn remove_from<K: Eq + Hash>(
    by_target: &mut BTreeMap<Target, Multi<K, ObjectKey>>,
    target: &Target,
    key: &K,
    pod: &ObjectKey,
) -> bool {
    let Some(of_target) = by_target.get_mut(target) else {
        return false;
    };
    let last = of_target.remove(key, pod);
    if of_target.is_empty() {
        by_target.remove(target);
    }
    last
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

#[cfg(test)]
mod tests;
