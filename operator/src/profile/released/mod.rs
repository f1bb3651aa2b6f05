//! Profiles that wait until no VM or scale set has an identity any more.

use futures::{Stream, StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use podid_core::arm::ArmId;
use podid_core::condition::READY;
use podid_core::profile::failure::STILL_ASSIGNED;
use podid_core::profile::pods::{ASSIGNMENT_READY, PODS_KEEP_NET_RAW};
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
            CarrierChange::AllKnown => select(&profiles, waits_for_what_is_known_now),
            CarrierChange::Identity(identity) => {
                select(&profiles, |profile| waits_for(profile, &identity))
            }
        };
        stream::iter(concerned)
    })
}

/// Whether the status may rest on what was not known, or was known before a restart: where identities are,
/// and what pods do. Every other difficulty has a wait of its own, which Azure may have asked for.
fn waits_for_what_is_known_now(profile: &PodIdentityProfile) -> bool {
    let by_pods = |condition: &Condition| {
        condition.type_ == ASSIGNMENT_READY || condition.reason == PODS_KEEP_NET_RAW
    };
    let may_be_past = |condition: &Condition| {
        condition.status != "True" && (by_pods(condition) || condition.reason == STILL_ASSIGNED)
    };
    profile.meta().deletion_timestamp.is_some() || conditions(profile).any(may_be_past)
}

/// Whether the profile may be waiting until no VM or scale set has the identity.
fn waits_for(profile: &PodIdentityProfile, identity: &ArmId) -> bool {
    let status = profile.status.as_ref();
    let used = status.and_then(|status| status.identity.as_ref());
    used.is_some_and(|used| ArmId::new(&used.resource_id) == *identity)
        && (profile.meta().deletion_timestamp.is_some() || !is_ready(profile))
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let ready = conditions(profile).find(|condition| condition.type_ == READY);
    ready.is_some_and(|ready| ready.status == "True")
}

fn conditions(profile: &PodIdentityProfile) -> impl Iterator<Item = &Condition> {
    let status = profile.status.iter();
    status.flat_map(|status| status.conditions.iter().flatten())
}

#[cfg(test)]
mod tests;
