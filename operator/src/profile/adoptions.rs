//! Which identities profiles are about to adopt, between the decision and the status that says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use podid_core::arm::ArmId;
use podid_core::object_key::ObjectKey;
use podid_core::profile::adoption::adopted_by_another;
use podid_core::profile::desired::Desired;
use podid_core::profile::observed::{Observed, ProfileRecord};
use podid_core::profile::plan::may_adopt;
use podid_crds::podid::PodIdentityProfile;

/// Reservations of identities that nobody has in a status yet: two profiles that are reconciled at once would both see
/// that. One lasts until its profile wants another identity, is refused, or is gone. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Adoptions(Arc<Mutex<HashMap<ArmId, ObjectKey>>>);

impl Adoptions {
    /// Reserves the identity that a profile is about to adopt. Returns the profile of another namespace that has it, in
    /// its status or by a reservation; then, and where nothing is to be adopted, nothing is reserved.
    pub(super) fn reserve(
        &self,
        desired: &Desired,
        observed: &Observed,
        profiles: &Store<PodIdentityProfile>,
    ) -> Option<ObjectKey> {
        let (own, id) = (key_of(desired), &desired.identity.id);
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.retain(|reserved, by| *by != own || reserved == id);
        if !may_adopt(desired, observed) {
            return None;
        }
        let first = reserved.get(id).filter(|by| is_there(by, profiles));
        let first = first.map(|by| (by.clone(), id.clone()));
        let all = profiles.state();
        let users = all.iter().filter_map(|profile| used_by(profile));
        let recorded = recorded(&observed.record);
        let user = adopted_by_another(id, &own, recorded, users.chain(first));
        if user.is_none() {
            reserved.insert(id.clone(), own);
        }
        user
    }

    /// Takes back what a profile has reserved that adopts nothing after all.
    pub(super) fn release(&self, desired: &Desired) {
        let own = key_of(desired);
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.retain(|_, by| *by != own);
    }
}

fn key_of(desired: &Desired) -> ObjectKey {
    ObjectKey::new(&desired.owner.namespace, &desired.owner.profile)
}

fn is_there(profile: &ObjectKey, profiles: &Store<PodIdentityProfile>) -> bool {
    let key = ObjectRef::new(&profile.name).within(&profile.namespace);
    profiles.get(&key).is_some()
}

fn used_by(profile: &PodIdentityProfile) -> Option<(ObjectKey, ArmId)> {
    let identity = profile.status.as_ref()?.identity.as_ref()?;
    let key = ObjectKey::new(profile.namespace()?, profile.name_any());
    Some((key, ArmId::new(&identity.resource_id)))
}

fn recorded(record: &ProfileRecord) -> Option<&ArmId> {
    record.identity.as_ref().map(|identity| &identity.id)
}
