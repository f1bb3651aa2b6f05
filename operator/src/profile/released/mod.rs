//! Profiles that wait until no VM or scale set has an identity any more.

use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use podid_core::arm::ArmId;
use podid_core::profile::waiting::{
    is_not_told_of_pods, may_wait_for_release, waits_for_what_is_known_now,
};
use podid_crds::podid::PodIdentityProfile;
use tokio::sync::mpsc;

use super::trigger::select;
use crate::assigned_identity::TargetsWithIdentityChange;
use crate::conditions::core_conditions;
use crate::trigger::received;

/// The profiles that each change concerns. They come straight from where the change was seen, and wait
/// for no write.
pub(super) fn waiting_profiles(
    changes: mpsc::UnboundedReceiver<TargetsWithIdentityChange>,
    profiles: Store<PodIdentityProfile>,
) -> impl Stream<Item = ObjectRef<PodIdentityProfile>> + Send + 'static {
    received(changes).flat_map(move |change| {
        let concerned = match change {
            TargetsWithIdentityChange::AllKnown => select(&profiles, |profile| {
                let conditions = core_conditions(profile);
                is_not_told_of_pods(&conditions)
                    || waits_for_what_is_known_now(is_deleted(profile), &conditions)
            }),
            TargetsWithIdentityChange::Identity(identity) => {
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
        && may_wait_for_release(is_deleted(profile), &core_conditions(profile))
}

fn is_deleted(profile: &PodIdentityProfile) -> bool {
    profile.meta().deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests;
