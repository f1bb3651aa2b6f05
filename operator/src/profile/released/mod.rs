//! Profiles that wait until no VM or scale set has an identity any more.

use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use podid_core::arm::ArmId;
use podid_core::condition::READY;
use podid_crds::podid::PodIdentityProfile;
use tokio::sync::mpsc;

use super::trigger::select;
use crate::assigned_identity::CarrierChange;
use crate::trigger::received;

/// The profiles that each change concerns. They come straight from where the change was seen, and wait
/// for no write.
pub(super) fn waiting_profiles(
    changes: mpsc::UnboundedReceiver<CarrierChange>,
    profiles: Store<PodIdentityProfile>,
) -> impl Stream<Item = ObjectRef<PodIdentityProfile>> + Send + 'static {
    received(changes).flat_map(move |change| {
        let concerned = match change {
            // What a status says since before a restart may not hold any more.
            CarrierChange::AllKnown => select(&profiles, |profile| !is_ready(profile)),
            CarrierChange::Identity(identity) => {
                select(&profiles, |profile| waits_for(profile, &identity))
            }
        };
        stream::iter(concerned)
    })
}

/// Whether the profile may be waiting until no VM or scale set has the identity.
fn waits_for(profile: &PodIdentityProfile, identity: &ArmId) -> bool {
    let status = profile.status.as_ref();
    let used = status.and_then(|status| status.identity.as_ref());
    used.is_some_and(|used| ArmId::new(&used.resource_id) == *identity)
        && (profile.meta().deletion_timestamp.is_some() || !is_ready(profile))
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let status = profile.status.as_ref();
    let mut conditions = status
        .into_iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.find(|condition| condition.type_ == READY);
    ready.is_some_and(|ready| ready.status == "True")
}

#[cfg(test)]
mod tests;
