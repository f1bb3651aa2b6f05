//! One reconciliation, when it is the profile's turn.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use podid_core::condition::ConditionStatus;
use podid_core::object_key::ObjectKey;
use podid_core::profile::decide::Precheck;
use podid_core::profile::queue::{AzurePlace, ProfileVersions, QueueEntry, Urgency};
use podid_crds::podid::PodIdentityProfile;

use super::error::ReconcileError;
use super::precheck::{core_class, core_profile, precheck};
use super::{ProfileContext, recheck, reconcile};
use crate::annotations::REQUESTED_AT;
use crate::conditions::ready_at;

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
    // It may have been changed while it waited. One that is not admitted costs no read of Azure.
    let is_rechecked = running.urgency().min(now.urgency) == Urgency::Recheck;
    let desired = match precheck(&profile, &context) {
        Precheck::Admitted(desired) if is_rechecked => desired,
        _ => return reconcile::reconcile(profile, Arc::clone(&context)).await,
    };
    if let Some(action) = recheck::recheck(&profile, &desired, &context).await {
        return Ok(action);
    }
    drop(running);
    let reread = QueueEntry {
        urgency: Urgency::Reread,
        ..now
    };
    Ok(context.queue.wait(&key, reread))
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
    QueueEntry {
        urgency: versions(profile).urgency(),
        place: AzurePlace::of_profile(&core_profile(profile, context), class.as_ref()),
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
