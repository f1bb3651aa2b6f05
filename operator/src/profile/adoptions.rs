//! Which identities profiles are about to adopt or to make, between the decision and the status that says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use podid_core::arm::ArmId;
use podid_core::object_key::ObjectKey;
use podid_core::profile::adoption::{IdentityUser, taken_by};
use podid_core::profile::desired::Desired;
use podid_core::profile::observed::{Observed, ProfileRecord};
use podid_core::profile::plan::taking;
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::convert::is_hand_written;
use podid_crds::podid::PodIdentityProfile;

/// Reservations of identities that nobody has in a status yet: two profiles that are reconciled at once would both see
/// that. One lasts until its profile wants another identity, is refused, or is gone. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Adoptions(Arc<Mutex<HashMap<ArmId, ObjectKey>>>);

impl Adoptions {
    /// Reserves the identity that a profile is about to take. Returns who keeps it from that: what has it in its status or
    /// serves it, or a reservation; then, and where nothing is to be taken, nothing is reserved.
    pub(super) fn reserve(
        &self,
        desired: &Desired,
        observed: &Observed,
        profiles: &Store<PodIdentityProfile>,
        azure_identities: &Store<AzureIdentity>,
    ) -> Option<IdentityUser> {
        let (own, id) = (key_of(desired), &desired.identity.id);
        let mut reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.retain(|reserved, by| *by != own || reserved == id);
        let taking = taking(desired, observed)?;
        let first = reserved.get(id).filter(|by| is_there(by, profiles));
        let first = first.map(|by| (IdentityUser::Profile(by.clone()), id.clone()));
        let (profiles, written) = (profiles.state(), azure_identities.state());
        let users = profiles.iter().filter_map(|profile| used_by(profile));
        let written = written.iter().filter_map(|object| served_by(object));
        let recorded = recorded(&observed.record);
        let users = users.chain(written).chain(first);
        let user = taken_by(id, &own, taking, recorded, users);
        if user.is_none() {
            reserved.insert(id.clone(), own);
        }
        user
    }

    /// Takes back what a profile has reserved that takes nothing after all.
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

fn used_by(profile: &PodIdentityProfile) -> Option<(IdentityUser, ArmId)> {
    let identity = profile.status.as_ref()?.identity.as_ref()?;
    let key = ObjectKey::new(profile.namespace()?, profile.name_any());
    Some((
        IdentityUser::Profile(key),
        ArmId::new(&identity.resource_id),
    ))
}

/// The identity of an AzureIdentity that a person wrote.
fn served_by(object: &AzureIdentity) -> Option<(IdentityUser, ArmId)> {
    let key = ObjectKey::new(object.namespace()?, object.name_any());
    let id = ArmId::new(object.spec.resource_id());
    is_hand_written(object).then_some((IdentityUser::AzureIdentity(key), id))
}

fn recorded(record: &ProfileRecord) -> Option<&ArmId> {
    record.identity.as_ref().map(|identity| &identity.id)
}
