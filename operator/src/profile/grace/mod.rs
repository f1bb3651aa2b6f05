//! A deletion waits for the profile's pods, as long as `spec.deletionGracePeriod` says.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Resource;
use podid_core::profile::decide::Precheck;
use podid_core::profile::grace::deletion_wait;
use podid_core::profile::result::ReconcileResult;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::context::has_finalizer;
use super::precheck::precheck;
use super::{ProfileContext, pods, status};
use crate::conditions::now;
use crate::metrics::{Controller, CountedOutcome};

/// How long the deletion of a profile still waits for its pods, which the status then says; `None` when it begins, or
/// when the profile is not being deleted.
pub(super) async fn wait_for_pods(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<Option<Duration>, kube::Error> {
    let started = Instant::now();
    let Some((wait, until)) = wait(profile, context) else {
        return Ok(None);
    };
    let record = convert::record(profile);
    let result = ReconcileResult::deletion_serves_pods(&until.to_string(), record);
    let updated = status::conclude(profile, profile, &result, context).await?;
    pods::count(&updated, context).await?;
    let counted = CountedOutcome::of(&result.outcome);
    let metrics = &context.metrics;
    metrics.reconciled(Controller::Profile, counted, started.elapsed());
    Ok(Some(wait))
}

/// How long, and until when.
fn wait(profile: &PodIdentityProfile, context: &ProfileContext) -> Option<(Duration, Timestamp)> {
    let deleted = profile.meta().deletion_timestamp.as_ref()?.0;
    // What its class takes away is taken at once.
    let is_withdrawn = || matches!(precheck(profile, context), Precheck::Withdrawn(_));
    if !has_finalizer(profile) || is_withdrawn() {
        return None;
    }
    let grace = convert::profile(profile, Default::default()).deletion_grace;
    // The API server's clock may be ahead of ours.
    let since = Duration::try_from(now().0.duration_since(deleted)).unwrap_or_default();
    let pods = pods::bound(profile, context);
    let wait = deletion_wait(grace, since, pods.as_ref())?;
    let until = deleted + SignedDuration::try_from(grace).ok()?;
    Some((wait, until))
}

#[cfg(test)]
mod tests;
