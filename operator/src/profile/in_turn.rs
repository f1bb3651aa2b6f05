//! One reconciliation, when it is the profile's turn.

use std::sync::Arc;

use kube::runtime::controller::Action;
use podid_core::profile::decide::Precheck;
use podid_core::profile::queue::{QueueEntry, Urgency};
use podid_crds::podid::PodIdentityProfile;
use podid_index::key_of;

use super::error::ReconcileError;
use super::precheck::precheck;
use super::queued::entry;
use super::{ProfileContext, recheck, reconcile};
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
    let key = key_of(&*profile);
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

/// What is next for a profile that is as it should be, or was read by itself now; `None` if it is to be read by itself.
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
