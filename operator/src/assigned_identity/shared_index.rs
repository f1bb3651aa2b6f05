//! The index behind one lock, shared by all parts: facts go in, and each part finds in a set of its own
//! what it has to look at again. Whoever holds the lock only computes: no function here is async.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use podid_core::arm::ArmId;
use podid_core::assigned_identity::{IdentityProgress, ObservedPod};
use podid_core::binding::ServingRules;
use podid_core::binding::{AzureIdentity, Binding, IdentityLookup, PodIdentities};
use podid_core::class::Class;
use podid_core::target::{DesiredIdentities, NodeTargetError, Target, TargetStatus};
use podid_index::ObjectKey;

use super::existing::{ExistingContents, ExistingObject, ExistingObjects};
use super::index::{AssignmentIndex, PlacedPod, RecordedIdentity};
use crate::dirty::DirtySet;

/// See the module. Clones share one index.
#[derive(Clone, Debug)]
pub(super) struct SharedIndex {
    state: Arc<Mutex<State>>,
    dirty: DirtySets,
}

/// What each part has to look at again.
#[derive(Clone, Debug, Default)]
pub(super) struct DirtySets {
    /// For `targets`: VMs and scale sets on which something else may be desired.
    pub(super) targets: DirtySet<Target>,
    /// For `verification`: managed identities that Azure has to be asked about, or need not be any more.
    pub(super) identities: DirtySet<ArmId>,
    /// For `pod_counts`.
    pub(super) counted: DirtySet<ObjectKey>,
    /// For `objects`.
    pub(super) written: DirtySet<ObjectKey>,
    /// For `pod_events`.
    pub(super) events: DirtySet<ObjectKey>,
}

#[derive(Debug)]
struct State {
    index: AssignmentIndex,
    /// The AzureAssignedIdentities that exist.
    existing: ExistingObjects,
    /// What is known of each VM and scale set that is worked on.
    statuses: HashMap<Target, TargetStatus>,
}

/// A pod that holds identities, and how far it is with them.
#[derive(Debug)]
pub(super) struct PodView<'a> {
    pub(super) observed: ObservedPod<'a>,
    pub(super) identities: &'a PodIdentities,
    /// How far it is with each identity that it is to have.
    pub(super) progress: Vec<IdentityProgress<'a>>,
}

impl SharedIndex {
    /// An index that knows nothing yet, and what is to be looked at again.
    pub(super) fn new(rules: ServingRules) -> (Self, DirtySets) {
        let dirty = DirtySets::default();
        let state = State {
            index: AssignmentIndex::new(rules),
            existing: ExistingObjects::default(),
            statuses: HashMap::new(),
        };
        let index = Self {
            state: Arc::new(Mutex::new(state)),
            dirty: dirty.clone(),
        };
        (index, dirty)
    }

    pub(super) fn set_pod(&self, key: &ObjectKey, placed: Option<PlacedPod>) {
        self.update(|index| index.set_pod(key, placed));
    }

    pub(super) fn set_node(&self, name: &str, target: Option<Result<Target, NodeTargetError>>) {
        self.update(|index| index.set_node(name, target));
    }

    pub(super) fn set_binding(&self, key: &ObjectKey, binding: Option<Binding>) {
        self.update(|index| index.set_binding(key, binding));
    }

    pub(super) fn set_identity(&self, key: &ObjectKey, identity: Option<AzureIdentity>) {
        self.update(|index| index.set_identity(key, identity));
    }

    /// The identity that a profile has in its status.
    pub(super) fn set_recorded(&self, profile: &ObjectKey, identity: Option<RecordedIdentity>) {
        self.update(|index| index.set_recorded(profile, identity));
    }

    /// A class, by its name.
    pub(super) fn set_class(&self, name: &str, class: Option<Class>) {
        self.update(|index| index.set_class(name, class));
    }

    /// Labels of a namespace.
    pub(super) fn set_namespace(&self, name: &str, labels: Option<BTreeMap<String, String>>) {
        self.update(|index| index.set_namespace(name, labels));
    }

    /// What Azure says of a managed identity.
    pub(super) fn set_known(&self, identity: &ArmId, lookup: Option<IdentityLookup>) {
        self.update(|index| index.set_known(identity, lookup));
    }

    /// An AzureAssignedIdentity that the watch gave; `None` when it is gone.
    pub(super) fn set_existing(&self, key: &ObjectKey, object: Option<ExistingObject>) {
        let mut state = self.state();
        let pod = match object {
            Some(object) => {
                let pod = object.pod.clone();
                state.existing.set(key, object);
                Some(pod)
            }
            None => state.existing.remove(key),
        };
        drop(state);
        self.dirty.pods(pod.into_iter().collect());
    }

    /// An AzureAssignedIdentity that was written or deleted by this process. The watch will give it
    /// too, and only that makes its pod dirty.
    pub(super) fn set_written(&self, key: &ObjectKey, object: Option<ExistingObject>) {
        let mut state = self.state();
        match object {
            Some(object) => state.existing.set(key, object),
            None => drop(state.existing.remove(key)),
        }
    }

    /// What is known of a VM or scale set, and the identities about which it is something else than
    /// before; no status for one that is not worked on any more.
    pub(super) fn set_status(
        &self,
        target: &Target,
        status: Option<TargetStatus>,
        changed: &BTreeSet<ArmId>,
    ) {
        let mut state = self.state();
        match status {
            Some(status) => drop(state.statuses.insert(target.clone(), status)),
            None => drop(state.statuses.remove(target)),
        }
        let users = changed.iter();
        let users = users.flat_map(|identity| state.index.users(target, identity));
        let users: BTreeSet<ObjectKey> = users.collect();
        drop(state);
        self.dirty.pods(users);
    }

    /// What a VM or scale set should have.
    pub(super) fn desired(&self, target: &Target) -> DesiredIdentities {
        self.state().index.desired(target)
    }

    /// The identities that a VM or scale set has by what AzureAssignedIdentities of pods there say.
    pub(super) fn said_assigned(&self, target: &Target) -> BTreeSet<ArmId> {
        let state = self.state();
        let is_said = |id: &ArmId| {
            let users = state.index.users(target, id).into_iter();
            let mut contents = users.flat_map(|pod| state.existing.of_pod(&pod).into_values());
            contents.any(|content| content.is_some_and(|content| content.is_assigned(id)))
        };
        let mut all = state.index.desired(target).desired;
        all.retain(is_said);
        all
    }

    /// Whether pods need to know what Azure says of an identity.
    pub(super) fn needs_check(&self, identity: &ArmId) -> bool {
        self.state().index.needs_check(identity)
    }

    /// The identity that a profile has in its status.
    pub(super) fn recorded(&self, profile: &ObjectKey) -> Option<ArmId> {
        self.state().index.recorded(profile).cloned()
    }

    /// Where pods use the AzureIdentity of a profile, and which managed identity it names for them.
    pub(super) fn uses_of_profile(&self, profile: &ObjectKey) -> BTreeSet<(Target, ArmId)> {
        self.state().index.uses_of_profile(profile)
    }

    /// See [`AssignmentIndex::is_only_used_by_others`].
    pub(super) fn is_only_used_by_others(
        &self,
        target: &Target,
        identity: &ArmId,
        profile: &ObjectKey,
    ) -> bool {
        let state = self.state();
        state
            .index
            .is_only_used_by_others(target, identity, profile)
    }

    /// Computes something from a pod (`None` if it holds no identities) and the content
    /// of the AzureAssignedIdentities that exist for it.
    pub(super) fn read_pod<R>(
        &self,
        key: &ObjectKey,
        read: impl FnOnce(Option<PodView<'_>>, &ExistingContents) -> R,
    ) -> R {
        let state = self.state();
        let existing = state.existing.of_pod(key);
        let view = state.index.pod(key).map(|pod| {
            let observed = ObservedPod {
                pod: &pod.placed.pod,
                node: &pod.placed.node,
                target: pod.target.as_ref(),
                status: pod.target().and_then(|target| state.statuses.get(target)),
                existing: &existing,
            };
            let progress = pod.wanted();
            let progress =
                progress.map(|(wanted, verification)| observed.progress(wanted, verification));
            PodView {
                observed,
                identities: &pod.pod_identities,
                progress: progress.collect(),
            }
        });
        read(view, &existing)
    }

    /// Applies a fact, and hands out what it concerns.
    fn update(&self, fact: impl FnOnce(&mut AssignmentIndex)) {
        let mut state = self.state();
        fact(&mut state.index);
        let dirty = state.index.take_dirty();
        drop(state);
        self.dirty.identities.add(dirty.identities);
        self.dirty.targets.add(dirty.targets);
        self.dirty.pods(dirty.pods);
    }

    /// A function that panicked while it held the lock ends the operator: its part has ended.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirtySets {
    /// Pods about which something may be different.
    fn pods(&self, pods: BTreeSet<ObjectKey>) {
        self.counted.add(pods.iter().cloned());
        self.events.add(pods.iter().cloned());
        self.written.add(pods);
    }
}
