//! What the queue is told of a profile.

use kube::{Resource, ResourceExt};
use podid_core::condition::ConditionStatus;
use podid_core::moment::Moment;
use podid_core::profile::queue::{AzurePlace, ProfileVersions, ProfileWork, QueueEntry, Urgency};
use podid_crds::podid::PodIdentityProfile;
use podid_index::key_of;

use super::ProfileContext;
use super::precheck::{core_class, core_profile};
use crate::annotations::REQUESTED_AT;
use crate::conditions::ready_of_profile;

/// Has a profile read by itself when it is its turn, though nobody has changed it.
pub(super) fn read_again(profile: &PodIdentityProfile, context: &ProfileContext) {
    let key = key_of(profile);
    let entry = QueueEntry {
        urgency: Urgency::Reread,
        ..entry(profile, context)
    };
    // The queue has the controller come to it.
    let _nothing_meanwhile = context.queue.wait(&key, entry);
}

/// What the queue is told of a profile.
pub(super) fn entry(profile: &PodIdentityProfile, context: &ProfileContext) -> QueueEntry {
    let class = core_class(profile, context);
    let wanted = core_profile(profile, context);
    QueueEntry {
        urgency: versions(profile).urgency(),
        place: AzurePlace::of_profile(&wanted, class.as_ref()),
        work: work(profile, wanted.identity_id.is_some()),
        not_before: Moment::default(),
    }
}

/// What is to be done; one that adopts an identity makes none.
fn work(profile: &PodIdentityProfile, adopts: bool) -> ProfileWork {
    let status = profile.status.as_ref();
    let has_identity = adopts || status.is_some_and(|status| status.identity.is_some());
    match profile.meta().deletion_timestamp {
        Some(_) => ProfileWork::Deletion,
        None if has_identity => ProfileWork::Update,
        None => ProfileWork::Creation,
    }
}

fn is_ready(profile: &PodIdentityProfile) -> bool {
    let ready = ready_of_profile(profile);
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
}

fn versions(profile: &PodIdentityProfile) -> ProfileVersions<'_> {
    let status = profile.status.as_ref();
    ProfileVersions {
        is_deleted: profile.meta().deletion_timestamp.is_some(),
        generation: profile.meta().generation,
        is_ready: is_ready(profile),
        observed: status.and_then(|status| status.observed_generation),
        requested: profile.annotations().get(REQUESTED_AT).map(String::as_str),
        handled: status.and_then(|status| status.last_handled_reconcile_at.as_deref()),
    }
}
