//! One reconciliation, when it is the profile's turn.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use podid_core::condition::ConditionStatus;
use podid_core::moment::Moment;
use podid_core::object_key::ObjectKey;
use podid_core::profile::decide::Precheck;
use podid_core::profile::queue::{AzurePlace, ProfileVersions, ProfileWork, QueueEntry, Urgency};
use podid_crds::podid::PodIdentityProfile;

use super::error::ReconcileError;
use super::precheck::{core_class, core_profile, precheck};
use super::{ProfileContext, recheck, reconcile};
use crate::annotations::REQUESTED_AT;
use crate::conditions::ready_at;
use crate::gate::with_priority;

/// Reconciles a profile if it may begin now, and else when it may. One that is only looked at again is compared with
/// what is listed for all; if that shows a difference, it waits for its turn to be read by itself.
pub(super) async fn reconcile_in_turn(
    profile: Arc<PodIdentityProfile>,
    context: Arc<ProfileContext>,
) -> Result<Action, ReconcileError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let key = ObjectKey::new(profile.namespace().unwrap_or_default(), profile.name_any());
    let now = entry(&profile, &context);
    let running = match context.queue.begin(&key, || now.clone()) {
        Ok(running) => running,
        Err(action) => return Ok(action),
    };
    // It may have been changed while it waited.
    let urgency = running.urgency().min(now.urgency);
    let work = begin(profile, urgency, &context);
    let again = match Box::pin(with_priority(urgency.priority(), work)).await {
        Ok(Some(action)) => return Ok(action),
        Ok(None) => QueueEntry {
            urgency: Urgency::Reread,
            ..now
        },
        // No error, and nothing to back off from.
        Err(ReconcileError::HeldBack { after }) => QueueEntry {
            urgency,
            not_before: context.queue.now() + after,
            ..now
        },
        Err(error) => return Err(error),
    };
    drop(running);
    Ok(context.queue.wait(&key, again))
}

/// What is next for a profile that is as it should be, or was read by itself now; `None` if it is to be.
async fn begin(
    profile: Arc<PodIdentityProfile>,
    urgency: Urgency,
    context: &Arc<ProfileContext>,
) -> Result<Option<Action>, ReconcileError> {
    // One that is not admitted costs no read of Azure.
    match precheck(&profile, context) {
        Precheck::Admitted(desired) if urgency == Urgency::Recheck => {
            Ok(recheck::recheck(&profile, &desired, context).await)
        }
        _ => {
            let reconciled = reconcile::reconcile(profile, Arc::clone(context)).await;
            reconciled.map(Some)
        }
    }
}

/// Has a profile read by itself when it is its turn, though nobody has changed it.
pub(super) fn read_again(profile: &PodIdentityProfile, context: &ProfileContext) {
    let key = ObjectKey::new(profile.namespace().unwrap_or_default(), profile.name_any());
    let entry = QueueEntry {
        urgency: Urgency::Reread,
        ..entry(profile, context)
    };
    // The queue has the controller come to it.
    let _nothing_meanwhile = context.queue.wait(&key, entry);
}

fn entry(profile: &PodIdentityProfile, context: &ProfileContext) -> QueueEntry {
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
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ready = ready_at(profile.meta().generation, conditions);
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
