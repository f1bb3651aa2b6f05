//! Which pods, hence which VMs and scale sets, a change concerns: the operator's use of the shared
//! [incremental index](podid_index::Index).

mod hand_written;
mod pod;
mod users;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use podid_core::arm::ArmId;
use podid_core::binding::{
    AzureIdentity, Binding, IdentityLookup, Pod, ServingRules, Verification, pod_identities,
};
use podid_core::class::Class;
use podid_core::owner::Origin;
use podid_core::target::{DesiredIdentities, NodeTargetError, Target, is_only_used_by_others};
use podid_index::{Derive, Index, Multi, ObjectKey, PodObjects};

use hand_written::HandWritten;
pub(super) use hand_written::RecordedIdentity;
pub(super) use pod::{IndexedPod, PlacedPod};
use users::Users;

/// What has to be looked at again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dirty {
    pub(super) pods: BTreeSet<ObjectKey>,
    pub(super) targets: BTreeSet<Target>,
    /// Managed identities about which Azure has to be asked, or need not be asked any more.
    pub(super) identities: BTreeSet<ArmId>,
}

/// Derives which identities a pod is to have, and keeps who uses what.
#[derive(Debug)]
struct IdentitiesOfPods {
    rules: ServingRules,
    hand_written: HandWritten,
    /// What Azure said of managed identities.
    known: HashMap<ArmId, IdentityLookup>,
    users: Users,
    /// Pods by the profile whose AzureIdentity they use.
    of_profile: Multi<ObjectKey, ObjectKey>,
    /// Pods by the managed identities about which Azure has to be asked.
    checking: Multi<ArmId, ObjectKey>,
    /// Identities that came into `checking`, or left it.
    checks_changed: BTreeSet<ArmId>,
}

impl Derive for IdentitiesOfPods {
    type Pod = PlacedPod;
    type Output = IndexedPod;

    fn derive(&self, objects: &PodObjects<'_, PlacedPod>) -> IndexedPod {
        let bindings = objects.bindings.iter().copied();
        let identities = objects.identities.iter().copied();
        let pod_identities = pod_identities(&objects.pod.pod, bindings, identities, self.rules);
        let wanted = pod_identities.wanted.iter();
        IndexedPod {
            placed: objects.pod.clone(),
            target: objects.target.cloned(),
            verifications: wanted
                .map(|one| self.verification(&one.identity, &objects.pod.pod))
                .collect(),
            pod_identities,
        }
    }

    fn changed(
        &mut self,
        pod: &ObjectKey,
        before: Option<&IndexedPod>,
        after: Option<&IndexedPod>,
    ) {
        let by_hand = after.is_some_and(|after| {
            let mut wanted = after.wanted();
            wanted.any(|(one, _)| one.identity.origin == Origin::HandWritten)
        });
        self.hand_written.set_user(pod, by_hand);
        if let Some(before) = before {
            self.users.remove(pod, before);
            for profile in before.profiles() {
                self.of_profile.remove(&profile, pod);
            }
            for id in before.checks() {
                if self.checking.remove(id, pod) {
                    self.checks_changed.insert(id.clone());
                }
            }
        }
        if let Some(after) = after {
            self.users.add(pod, after);
            for profile in after.profiles() {
                self.of_profile.insert(profile, pod.clone());
            }
            for id in after.checks() {
                if self.checking.insert(id.clone(), pod.clone()) {
                    self.checks_changed.insert(id.clone());
                }
            }
        }
    }
}

impl IdentitiesOfPods {
    /// The verification of an identity for a pod, and whether Azure has to be asked for it.
    fn verification(&self, identity: &AzureIdentity, pod: &Pod) -> (Verification, bool) {
        let known = self.known.get(&identity.resource_id);
        self.hand_written.verify(identity, &pod.breaches, known)
    }
}

/// All that assignment knows of the cluster.
#[derive(Debug)]
pub(super) struct AssignmentIndex(Index<IdentitiesOfPods>);

impl AssignmentIndex {
    pub(super) fn new(rules: ServingRules) -> Self {
        Self(Index::new(IdentitiesOfPods {
            rules,
            hand_written: HandWritten::new(rules),
            known: HashMap::new(),
            users: Users::default(),
            of_profile: Multi::default(),
            checking: Multi::default(),
            checks_changed: BTreeSet::new(),
        }))
    }

    /// What has changed since this was last asked.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        let pods = self.0.take_changed();
        let derive = self.0.derive_mut();
        Dirty {
            pods,
            targets: std::mem::take(&mut derive.users.changed),
            identities: std::mem::take(&mut derive.checks_changed),
        }
    }

    /// A pod, if it holds identities.
    pub(super) fn pod(&self, key: &ObjectKey) -> Option<&IndexedPod> {
        self.0.output(key)
    }

    /// What a VM or scale set should have.
    pub(super) fn desired(&self, target: &Target) -> DesiredIdentities {
        self.0.derive().users.desired(target)
    }

    /// Whether pods need to know what Azure says of an identity.
    pub(super) fn needs_check(&self, identity: &ArmId) -> bool {
        self.0.derive().checking.get(identity).is_some()
    }

    /// The pods on a VM or scale set that use an identity.
    pub(super) fn users(&self, target: &Target, identity: &ArmId) -> Vec<ObjectKey> {
        self.0.derive().users.of(target, identity)
    }

    /// Where pods use the AzureIdentity of a profile, and which managed identity it names for them.
    pub(super) fn uses_of_profile(&self, profile: &ObjectKey) -> BTreeSet<(Target, ArmId)> {
        let pods = self.0.derive().of_profile.get(profile);
        let pods = pods.into_iter().flatten();
        let mut uses = BTreeSet::new();
        for pod in pods.filter_map(|pod| self.pod(pod)) {
            let Some(target) = pod.target() else { continue };
            let wanted = pod.pod_identities.wanted.iter().map(|one| &one.identity);
            let of_profile = wanted.filter(|identity| identity.profile().as_ref() == Some(profile));
            uses.extend(of_profile.map(|identity| (target.clone(), identity.resource_id.clone())));
        }
        uses
    }

    /// See [`is_only_used_by_others()`].
    pub(super) fn is_only_used_by_others(
        &self,
        target: &Target,
        identity: &ArmId,
        profile: &ObjectKey,
    ) -> bool {
        let pods = self.0.derive().users.holders(target, identity);
        let pods = pods.filter_map(|pod| self.pod(pod));
        let uses = pods.flat_map(|pod| &pod.pod_identities.wanted);
        let uses = uses.filter(|wanted| wanted.identity.resource_id == *identity);
        is_only_used_by_others(uses.map(|wanted| &wanted.binding), profile)
    }

    /// The identity that the profile of this namespace and name has in its status.
    pub(super) fn recorded(&self, profile: &ObjectKey) -> Option<&ArmId> {
        self.0.derive().hand_written.recorded(profile)
    }

    pub(super) fn set_pod(&mut self, key: &ObjectKey, placed: Option<PlacedPod>) {
        self.0.set_pod(key, placed);
    }

    pub(super) fn set_node(&mut self, name: &str, target: Option<Result<Target, NodeTargetError>>) {
        self.0.set_node(name, target);
    }

    pub(super) fn set_binding(&mut self, key: &ObjectKey, binding: Option<Binding>) {
        self.0.set_binding(key, binding);
    }

    pub(super) fn set_identity(&mut self, key: &ObjectKey, identity: Option<AzureIdentity>) {
        self.0.set_identity(key, identity);
    }

    pub(super) fn set_recorded(&mut self, profile: &ObjectKey, identity: Option<RecordedIdentity>) {
        let by_hand = &mut self.0.derive_mut().hand_written;
        let Some(pods) = by_hand.set_recorded(profile, identity) else {
            return;
        };
        self.0.rederive(&pods);
        // The AzureIdentity of a profile has the profile's name.
        self.0.rederive_naming(profile);
    }

    /// A class, by its name.
    pub(super) fn set_class(&mut self, name: &str, class: Option<Class>) {
        let pods = self.0.derive_mut().hand_written.set_class(name, class);
        self.0.rederive(&pods);
    }

    /// Labels of a namespace.
    pub(super) fn set_namespace(&mut self, name: &str, labels: Option<BTreeMap<String, String>>) {
        let pods = self.0.derive_mut().hand_written.set_namespace(name, labels);
        self.0.rederive(&pods);
    }

    /// What Azure says of a managed identity.
    pub(super) fn set_known(&mut self, identity: &ArmId, lookup: Option<IdentityLookup>) {
        let derive = self.0.derive_mut();
        if derive.known.get(identity) == lookup.as_ref() {
            return;
        }
        match lookup {
            Some(lookup) => derive.known.insert(identity.clone(), lookup),
            None => derive.known.remove(identity),
        };
        let pods = derive.checking.get(identity).cloned().unwrap_or_default();
        self.0.rederive(&pods);
    }
}

#[cfg(test)]
mod tests;
