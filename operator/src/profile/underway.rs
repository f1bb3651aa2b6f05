//! What the status says while the work goes on: a call to Azure may take a minute, and a person
//! should not look at an empty line for as long.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use podid_core::condition::{READY, RECONCILING, ReconcileOutcome, STALLED};
use podid_core::profile::plan::{Plan, Step};
use podid_crds::podid::PodIdentityProfile;

use super::Context;
use super::error::{Cause, Failure, Stage};
use super::status::{self, Account, Report};

/// Before anything is read: fills the status of a profile that has none. Returns the profile as
/// it is then.
pub(super) async fn begin(
    profile: &PodIdentityProfile,
    context: &Context,
) -> Result<Option<PodIdentityProfile>, Failure> {
    if conditions(profile).any(|condition| condition.type_ == READY) {
        return Ok(None);
    }
    let doing = "reading what there is in Azure and in the cluster";
    say(profile, doing, context).await.map(Some)
}

/// Before the first write to Azure: says what is done first, unless this generation was worked on
/// already. A retry keeps the words of the difficulty that it met.
pub(super) async fn before_writes(
    profile: &PodIdentityProfile,
    plan: &Plan,
    context: &Context,
) -> Result<Option<PodIdentityProfile>, Failure> {
    let is_first = !was_worked_on(profile);
    match plan.steps.iter().find_map(doing).filter(|_| is_first) {
        Some(doing) => say(profile, &doing, context).await.map(Some),
        None => Ok(None),
    }
}

/// Notes in the status what is about to be made in Azure, before it is.
pub(super) async fn note(
    profile: &PodIdentityProfile,
    doing: &str,
    account: Account,
    context: &Context,
) -> Result<PodIdentityProfile, kube::Error> {
    let report = Report {
        outcome: ReconcileOutcome::Progressing {
            message: doing.to_owned(),
        },
        parts: Vec::new(),
        account,
        planned: Vec::new(),
    };
    let mut updated = status::updated(profile, &report);
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
    context: &Context,
) -> Result<PodIdentityProfile, Failure> {
    let noted = note(profile, doing, Account::of(profile), context).await;
    noted.map_err(|source| {
        let what = "write the status before the work begins".to_owned();
        Stage::Identity.failed(Cause::Cluster { what, source })
    })
}

/// A step that writes to Azure, as something that goes on.
fn doing(step: &Step) -> Option<String> {
    Some(match step {
        Step::CreateIdentity { id, .. } => format!("creating identity {}", id.name()),
        Step::UpdateTags { id, .. } => format!("updating the tags of identity {}", id.name()),
        Step::GrantRole(_) | Step::GrantNodeRole(_) => "granting roles".to_owned(),
        Step::RevokeRole { .. } => "revoking roles".to_owned(),
        Step::DeleteIdentity { id } => format!("deleting identity {}", id.name()),
        Step::AdoptIdentity { .. }
        | Step::ApplyAzureIdentity { .. }
        | Step::ApplyBinding { .. }
        | Step::DeleteBinding { .. }
        | Step::DeleteAzureIdentity { .. }
        | Step::AwaitUnassigned { .. } => return None,
    })
}

/// Whether something was found out about the profile as it is written now: every difficulty, and
/// every success, is that of a part.
fn was_worked_on(profile: &PodIdentityProfile) -> bool {
    let generation = profile.meta().generation;
    let is_part = |kind: &str| ![READY, RECONCILING, STALLED].contains(&kind);
    conditions(profile)
        .any(|condition| is_part(&condition.type_) && condition.observed_generation == generation)
}

fn conditions(profile: &PodIdentityProfile) -> impl Iterator<Item = &Condition> {
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten()
}
