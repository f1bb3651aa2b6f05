//! Compares a profile that is ready with what is listed for all profiles.

use std::time::Instant;

use kube::Resource;
use kube::runtime::controller::Action;
use podid_core::profile::decide::record_if_unchanged;
use podid_core::profile::desired::Desired;
use podid_core::profile::reads::is_by_lists;
use podid_core::profile::result::ReconcileResult;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::context::has_finalizer;
use super::{ProfileContext, listed, pods, reconcile, status};
use crate::metrics::{Controller, CountedOutcome};

/// When to look at an admitted profile again that is as it should be, and whose status says so; `None` for every other,
/// which is to be read by itself.
pub(super) async fn recheck(
    profile: &PodIdentityProfile,
    desired: &Desired,
    context: &ProfileContext,
) -> Option<Action> {
    let started = Instant::now();
    let is_left_alone = profile.meta().deletion_timestamp.is_some()
        || reconcile::azure_wait(profile, context).is_some();
    let interval = convert::profile(profile, Default::default()).interval;
    if !has_finalizer(profile) || is_left_alone || !is_by_lists(interval.or(context.interval)) {
        return None;
    }
    let result = result(profile, desired, context).await?;
    if status::updated(profile, &result).status != profile.status {
        return None;
    }
    let counted = CountedOutcome::of(&result.outcome);
    let metrics = &context.metrics;
    metrics.reconciled(Controller::Profile, counted, started.elapsed());
    Some(reconcile::action(profile, result.requeue, context))
}

async fn result(
    profile: &PodIdentityProfile,
    desired: &Desired,
    context: &ProfileContext,
) -> Option<ReconcileResult> {
    let record = convert::record(profile);
    let observed = listed::observe(profile, desired, record, context).await?;
    let policy = listed::policy(desired.net_raw, context).await?;
    let enforcement = pods::enforcement(policy, desired, profile, context);
    let record = record_if_unchanged(desired, &observed)?;
    let made = ReconcileResult::made(desired, record, enforcement);
    Some(made.with_pods_problem(pods::problem(profile, context)))
}
