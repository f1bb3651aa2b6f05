use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use podid_core::arm::ArmId;
use podid_core::binding::Verification;
use podid_core::target::{DesiredIdentities, Target};
use podid_index::{Multi, ObjectKey};

use super::pod::IndexedPod;

/// The pods that use each identity, by the VM or scale set under them.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// The pods on each target that use an identity…
    pub(super) verified: BTreeMap<Target, Multi<ArmId, ObjectKey>>,
    /// …with the client ids that they use it by…
    clients: BTreeMap<Target, Multi<(ArmId, String), ObjectKey>>,
    /// …and those for which it has to be verified first.
    pending: BTreeMap<Target, Multi<ArmId, ObjectKey>>,
    /// Targets that should carry something else than when this was last taken.
    pub(super) changed: BTreeSet<Target>,
}

impl Users {
    /// What a target should carry.
    pub(super) fn wanted(&self, target: &Target) -> DesiredIdentities {
        let ids = |users: &BTreeMap<Target, Multi<ArmId, ObjectKey>>| {
            let users = users.get(target);
            users.map(|users| users.keys().cloned().collect())
        };
        DesiredIdentities {
            desired: ids(&self.verified).unwrap_or_default(),
            client_ids: self.client_ids(target),
            kept: ids(&self.pending).unwrap_or_default(),
        }
    }

    /// The client ids of what a target should carry, as far as those who use it agree.
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

    /// The pods on a target that use an identity.
    pub(super) fn of(&self, target: &Target, identity: &ArmId) -> Vec<ObjectKey> {
        let users = self.verified.get(target);
        let users = users.and_then(|users| users.get(identity));
        users.into_iter().flatten().cloned().collect()
    }

    /// The pods on a target for which it may have an identity: also those for which the identity has to be
    /// verified first, because until then it is not taken away.
    pub(super) fn holders(
        &self,
        target: &Target,
        identity: &ArmId,
    ) -> impl Iterator<Item = &ObjectKey> {
        let all = [&self.verified, &self.pending].into_iter();
        let users = all.filter_map(move |users| users.get(target)?.get(identity));
        users.flatten()
    }

    /// Notes what a pod uses.
    pub(super) fn add(&mut self, key: &ObjectKey, pod: &IndexedPod) {
        let Some(target) = pod.target() else { return };
        for (wanted, verification) in pod.wanted() {
            let id = &wanted.identity.resource_id;
            let Some(users) = self.by_verification(verification) else {
                continue;
            };
            let users = users.entry(target.clone()).or_default();
            let mut first = users.insert(id.clone(), key.clone());
            if *verification == Verification::Verified {
                let client = (id.clone(), wanted.identity.client_id.clone());
                let clients = self.clients.entry(target.clone()).or_default();
                first |= clients.insert(client, key.clone());
            }
            if first {
                self.changed.insert(target.clone());
            }
        }
    }

    /// Forgets what a pod used.
    pub(super) fn remove(&mut self, key: &ObjectKey, pod: &IndexedPod) {
        let Some(target) = pod.target() else { return };
        for (wanted, verification) in pod.wanted() {
            let id = &wanted.identity.resource_id;
            let Some(users) = self.by_verification(verification) else {
                continue;
            };
            let mut last = remove_from(users, target, id, key);
            if *verification == Verification::Verified {
                let client = (id.clone(), wanted.identity.client_id.clone());
                last |= remove_from(&mut self.clients, target, &client, key);
            }
            if last {
                self.changed.insert(target.clone());
            }
        }
    }

    /// Where pods are noted for an identity with this verification.
    fn by_verification(
        &mut self,
        verification: &Verification,
    ) -> Option<&mut BTreeMap<Target, Multi<ArmId, ObjectKey>>> {
        match verification {
            Verification::Verified => Some(&mut self.verified),
            Verification::Pending(_) => Some(&mut self.pending),
            Verification::Refused(_) => None,
        }
    }
}

/// Whether this was the last pod of the key on the target.
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
