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

/// Clones share one state. Two profiles that are reconciled at once both see that nobody has the identity in its
/// status; the one that asks here first has it.
#[derive(Clone, Debug, Default)]
pub struct Adoptions(Arc<Mutex<HashMap<ArmId, ObjectKey>>>);

impl Adoptions {
    /// The profile of another namespace that uses the identity which a profile wants to adopt; `None` also when it
    /// adopts none. From then on the identity is kept for this profile.
    pub(super) fn user(
        &self,
        desired: &Desired,
        observed: &Observed,
        profiles: &Store<PodIdentityProfile>,
    ) -> Option<ObjectKey> {
        if !may_adopt(desired, observed) {
            return None;
        }
        let (owner, id) = (&desired.owner, &desired.identity.id);
        let own = ObjectKey::new(&owner.namespace, &owner.profile);
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = begun.get(id).filter(|user| is_open(user, id, profiles));
        let begun_user = first.map(|user| (user.clone(), id.clone()));
        let all = profiles.state();
        let users = all.iter().filter_map(|profile| used_by(profile));
        let recorded = recorded(&observed.record);
        let user = adopted_by_another(id, &own, recorded, users.chain(begun_user));
        if user.is_none() {
            begun.insert(id.clone(), own);
        }
        user
    }
}

/// Whether a profile that was about to adopt an identity may still do so: it exists, and its status does not name
/// another.
fn is_open(user: &ObjectKey, id: &ArmId, profiles: &Store<PodIdentityProfile>) -> bool {
    let key = ObjectRef::new(&user.name).within(&user.namespace);
    let profile = profiles.get(&key);
    profile.is_some_and(|profile| used_by(&profile).is_none_or(|(_, used)| used == *id))
}

fn used_by(profile: &PodIdentityProfile) -> Option<(ObjectKey, ArmId)> {
    let identity = profile.status.as_ref()?.identity.as_ref()?;
    let key = ObjectKey::new(profile.namespace()?, profile.name_any());
    Some((key, ArmId::new(&identity.resource_id)))
}

fn recorded(record: &ProfileRecord) -> Option<&ArmId> {
    record.identity.as_ref().map(|identity| &identity.id)
}
