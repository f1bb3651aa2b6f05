//! Writes what goes on to the status while the work goes on.

use podid_core::condition::ReconcileOutcome;
use podid_core::profile::ConditionType;
use podid_core::profile::in_progress::{READING, first_write, is_reported};
use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::plan::Plan;
use podid_core::profile::progress::record_before;
use podid_core::profile::result::ReconcileResult;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::ProfileContext;
use super::error::{ErrorCause, StepError};
use super::status;
use crate::conditions::core_conditions;

/// Before Azure is asked: fills the status of a profile that has none. Returns the profile as
/// it is then.
pub(super) async fn begin(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<Option<PodIdentityProfile>, StepError> {
    match is_reported(&core_conditions(profile)) {
        true => Ok(None),
        false => {
            let record = convert::record(profile);
            say(profile, READING, record, context).await.map(Some)
        }
    }
}

/// Before the first write to Azure: reports the first step, and records what it may leave there.
pub(super) async fn before_writes(
    profile: &PodIdentityProfile,
    plan: &Plan,
    record: &ProfileRecord,
    context: &ProfileContext,
) -> Result<Option<PodIdentityProfile>, StepError> {
    let generation = profile.metadata.generation;
    let first = first_write(plan, record, &core_conditions(profile), generation);
    match first {
        Some(doing) => {
            let record = record_before(plan, record);
            say(profile, &doing, record, context).await.map(Some)
        }
        None => Ok(None),
    }
}

/// Writes what goes on, and what is remembered, to the status.
pub(super) async fn note(
    profile: &PodIdentityProfile,
    doing: &str,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Result<PodIdentityProfile, kube::Error> {
    let message = doing.to_owned();
    let result = ReconcileResult::without_work(ReconcileOutcome::Progressing { message }, record);
    let mut updated = status::updated(profile, &result);
    let before = profile.status.as_ref();
    if let Some(status) = updated.status.as_mut() {
        // A request is handled when the work is done, and not when it begins.
        status.last_handled_reconcile_at =
            before.and_then(|status| status.last_handled_reconcile_at.clone());
    }
    status::write(&context.client, profile, &updated).await?;
    Ok(updated)
}

async fn say(
    profile: &PodIdentityProfile,
    doing: &str,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Result<PodIdentityProfile, StepError> {
    let noted = note(profile, doing, record, context).await;
    noted.map_err(|source| {
        let what = "write the status before the work begins".to_owned();
        ErrorCause::ApiServer { what, source }.at(ConditionType::IdentityReady)
    })
}
