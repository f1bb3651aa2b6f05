use std::collections::{BTreeMap, BTreeSet};

use podid_core::arm::ArmId;
use podid_core::target::{DesiredIdentities, IdentityUse, Target};
use podid_index::{Multi, ObjectKey};

use super::pod::IndexedPod;

/// The identities that pods use on one target, and which pods use each of them in the same way.
type UsersOfTarget = BTreeMap<ArmId, Multi<IdentityUse, ObjectKey>>;

/// The pods that use each identity, by the VM or scale set under them.
#[derive(Debug, Default)]
pub(super) struct Users {
    by_target: BTreeMap<Target, UsersOfTarget>,
    /// Targets that should have something else than when this was last taken.
    pub(super) changed: BTreeSet<Target>,
}

impl Users {
    /// What a target should have.
    pub(super) fn desired(&self, target: &Target) -> DesiredIdentities {
        let identities = self.by_target.get(target).into_iter().flatten();
        DesiredIdentities::of(
            identities.flat_map(|(id, uses)| uses.keys().map(move |one| (id, one))),
        )
    }

    /// The pods on a target that it has an identity for, or should.
    pub(super) fn of(&self, target: &Target, identity: &ArmId) -> Vec<ObjectKey> {
        let uses = self.uses(target, identity);
        let verified = uses.filter(|(one, _)| **one != IdentityUse::Kept);
        verified.flat_map(|(_, pods)| pods).cloned().collect()
    }

    /// The pods on a target for which it may have an identity: also those for which the identity has to be
    /// verified first, because until then it is not taken away.
    pub(super) fn holders(
        &self,
        target: &Target,
        identity: &ArmId,
    ) -> impl Iterator<Item = &ObjectKey> {
        self.uses(target, identity).flat_map(|(_, pods)| pods)
    }

    fn uses(
        &self,
        target: &Target,
        identity: &ArmId,
    ) -> impl Iterator<Item = (&IdentityUse, &BTreeSet<ObjectKey>)> {
        let users = self.by_target.get(target);
        let uses = users.and_then(|users| users.get(identity));
        uses.into_iter().flat_map(Multi::iter)
    }

    #[cfg(test)]
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.by_target.keys()
    }

    /// Notes what a pod uses.
    pub(super) fn add(&mut self, key: &ObjectKey, pod: &IndexedPod) {
        let Some(target) = pod.target() else { return };
        for (id, identity_use) in pod.uses() {
            let users = self.by_target.entry(target.clone()).or_default();
            let pods = users.entry(id.clone()).or_default();
            if pods.insert(identity_use, key.clone()) {
                self.changed.insert(target.clone());
            }
        }
    }

    /// Forgets what a pod used.
    pub(super) fn remove(&mut self, key: &ObjectKey, pod: &IndexedPod) {
        let Some(target) = pod.target() else { return };
        for (id, identity_use) in pod.uses() {
            if self.remove_use(target, id, &identity_use, key) {
                self.changed.insert(target.clone());
            }
        }
    }

    /// Whether this was the last pod that used the identity in this way.
    fn remove_use(
        &mut self,
        target: &Target,
        id: &ArmId,
        identity_use: &IdentityUse,
        pod: &ObjectKey,
    ) -> bool {
        let Some(users) = self.by_target.get_mut(target) else {
            return false;
        };
        let Some(pods) = users.get_mut(id) else {
            return false;
        };
        let last = pods.remove(identity_use, pod);
        if pods.is_empty() {
            users.remove(id);
        }
        if users.is_empty() {
            self.by_target.remove(target);
        }
        last
    }
}
