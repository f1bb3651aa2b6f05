//! The API server's objects, as far as this node needs them, and what follows for each of its pods:
//! the node's use of the shared [incremental index](podid_index::Index).

mod derive;
mod node_pod;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use podid_core::assigned_identity::AssignedIdentity;
use podid_core::binding::ServingRules;
use podid_core::binding::{AzureIdentity, Binding};
use podid_core::resolve::{Exception, profile_client_ids};
use podid_core::service_principal::PrincipalLimit;
use podid_index::feed::Update;
use podid_index::{Index, ObjectKey};
use tokio::time::Instant;

use crate::attest::Claim;
use crate::pod_context::PodContext;
use derive::DeriveContext;
pub(crate) use node_pod::{NodePod, node_pod};

/// A fact from one of the watches.
#[derive(Debug)]
pub(crate) enum ObjectUpdate {
    /// Of this node's pods.
    Pod(Update<NodePod>),
    /// Of AzureIdentities.
    Identity(Update<IndexedAzureIdentity>),
    /// Of AzureIdentityBindings.
    Binding(Update<Binding>),
    /// Of AzurePodIdentityExceptions.
    Exception(Update<Exception>),
    /// Of this node's AzureAssignedIdentities.
    Assigned(Update<AssignedIdentity>),
    /// Of what classes allow to service principals.
    Class(Update<PrincipalLimit>),
}

/// An AzureIdentity, and what this node needs to know of its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexedAzureIdentity {
    /// As the rules see it.
    pub(crate) identity: AzureIdentity,
    /// Client ids of identities that it named before and that a VM or scale set may still have for it.
    pub(crate) former: BTreeSet<String>,
}

impl IndexedAzureIdentity {
    /// See [`profile_client_ids`].
    fn profile_client_ids(&self) -> BTreeSet<&str> {
        profile_client_ids(&self.identity, &self.former)
    }
}

/// A change of the addresses that a pod has according to the API server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClaimChange {
    /// The pod is to be attested to have these addresses.
    Made(Claim),
    /// There is nothing to attest any more about the pod of this uid.
    Withdrawn(String),
}

/// The kinds that were listed once.
#[derive(Debug, Default)]
struct Listed {
    pods: bool,
    identities: bool,
    bindings: bool,
    exceptions: bool,
    assigned: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PodIndex {
    index: Index<DeriveContext>,
    /// The AzureIdentities of profiles whose client ids are counted.
    of_profiles: HashMap<ObjectKey, IndexedAzureIdentity>,
    /// What each class allows to service principals.
    classes: BTreeMap<ObjectKey, PrincipalLimit>,
    listed: Listed,
}

impl PodIndex {
    /// Knows no object yet.
    pub(crate) fn new(rules: ServingRules) -> Self {
        Self {
            index: Index::new(DeriveContext::new(rules)),
            of_profiles: HashMap::new(),
            classes: BTreeMap::new(),
            listed: Listed::default(),
        }
    }

    /// Takes in what was said `now`. Returns what it changes for the attestation of pods, in order.
    pub(crate) fn apply(&mut self, update: ObjectUpdate, now: Instant) -> Vec<ClaimChange> {
        match update {
            ObjectUpdate::Pod(Update::Object(key, pod)) => return self.set_pod(&key, pod),
            ObjectUpdate::Identity(Update::Object(key, identity)) => {
                self.set_identity(&key, identity);
            }
            ObjectUpdate::Binding(Update::Object(key, binding)) => {
                self.index.set_binding(&key, binding);
            }
            ObjectUpdate::Exception(Update::Object(key, exception)) => {
                self.index.set_exception(&key, exception);
            }
            ObjectUpdate::Assigned(Update::Object(key, assigned)) => {
                // First, because the index derives from it.
                self.index.derive_mut().date(&key, assigned.as_ref(), now);
                self.index.set_assigned(&key, assigned);
            }
            ObjectUpdate::Class(Update::Object(key, limit)) => self.set_class(key, limit),
            // Until a class is known, it allows nothing: nobody has to wait for them.
            ObjectUpdate::Class(Update::Listed) => {}
            ObjectUpdate::Pod(Update::Listed) => self.listed.pods = true,
            ObjectUpdate::Identity(Update::Listed) => self.listed.identities = true,
            ObjectUpdate::Binding(Update::Listed) => self.listed.bindings = true,
            ObjectUpdate::Exception(Update::Listed) => self.listed.exceptions = true,
            ObjectUpdate::Assigned(Update::Listed) => self.listed.assigned = true,
        }
        Vec::new()
    }

    fn set_pod(&mut self, key: &ObjectKey, pod: Option<NodePod>) -> Vec<ClaimChange> {
        let known = self.index.pod(key);
        if known == pod.as_ref() {
            return Vec::new();
        }
        let before = known.and_then(NodePod::claim);
        let after = pod.as_ref().and_then(NodePod::claim);
        self.index.set_pod(key, pod);
        // A pod of the same name that was made anew is another one.
        let stays = |uid: &String| after.as_ref().is_some_and(|after| after.uid == *uid);
        let withdrawn = before.map(|before| before.uid).filter(|uid| !stays(uid));
        let withdrawn = withdrawn.map(ClaimChange::Withdrawn);
        withdrawn
            .into_iter()
            .chain(after.map(ClaimChange::Made))
            .collect()
    }

    fn set_identity(&mut self, key: &ObjectKey, new: Option<IndexedAzureIdentity>) {
        let client_ids = &self.index.derive().of_profiles;
        // The new ones first: an id that stays is never missing.
        let added = new
            .iter()
            .flat_map(IndexedAzureIdentity::profile_client_ids);
        added.for_each(|id| client_ids.add(id));
        let old = match new
            .clone()
            .filter(|new| !new.profile_client_ids().is_empty())
        {
            Some(counted) => self.of_profiles.insert(key.clone(), counted),
            None => self.of_profiles.remove(key),
        };
        let removed = old
            .iter()
            .flat_map(IndexedAzureIdentity::profile_client_ids);
        removed.for_each(|id| client_ids.remove(id));
        self.index.set_identity(key, new.map(|new| new.identity));
    }

    fn set_class(&mut self, key: ObjectKey, limit: Option<PrincipalLimit>) {
        match limit {
            Some(limit) => self.classes.insert(key, limit),
            None => self.classes.remove(&key),
        };
        let limits = self.classes.values().cloned().collect();
        self.index.derive().principal_limits.set(limits);
    }

    /// Whether every kind has been listed once, but for classes.
    pub(crate) fn is_complete(&self) -> bool {
        let listed = &self.listed;
        listed.pods && listed.identities && listed.bindings && listed.exceptions && listed.assigned
    }

    /// A pod of this node, by uid, with all that concerns it.
    pub(crate) fn context(&self, uid: &str) -> Option<&Arc<PodContext>> {
        self.index.derive().context(uid)
    }

    /// All pods of this node, each with its addresses in the API server.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = (&Arc<PodContext>, Vec<Ipv4Addr>)> {
        self.index.derive().contexts().map(|context| {
            let pod = &context.caller.pod;
            let known = self.index.pod(&ObjectKey::new(&pod.namespace, &pod.name));
            (
                context,
                known.map_or_else(Vec::new, |known| known.addresses.clone()),
            )
        })
    }
}

#[cfg(test)]
mod tests;
