//! The fields of a profile's status that are about pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use podid_core::condition::Condition;
use podid_core::profile::pods::{ASSIGNMENT_READY, BoundPods};
use podid_crds::podid::{PodIdentityProfile, PodIdentityProfileStatus, RefusedPodStatus};

use super::condition;
use crate::conditions::{now, to_kubernetes};

/// The part of a status that is about pods.
pub(in crate::profile) fn of_pods(status: &PodIdentityProfileStatus) -> PodIdentityProfileStatus {
    let conditions = status.conditions.iter().flatten();
    let own = conditions.filter(|condition| condition.type_ == ASSIGNMENT_READY);
    let own: Vec<meta::Condition> = own.cloned().collect();
    PodIdentityProfileStatus {
        conditions: (!own.is_empty()).then_some(own),
        bound_pods: status.bound_pods,
        assigned_pods: status.assigned_pods,
        refused_pods: status.refused_pods.clone(),
        refused_pod_count: status.refused_pod_count,
        ..PodIdentityProfileStatus::default()
    }
}

/// The status without the fields that counting pods owns: server-side apply must not own a field
/// twice.
pub(in crate::profile) fn without_pods(
    status: PodIdentityProfileStatus,
) -> PodIdentityProfileStatus {
    let conditions = status.conditions.map(|mut conditions| {
        conditions.retain(|condition| condition.type_ != ASSIGNMENT_READY);
        conditions
    });
    PodIdentityProfileStatus {
        conditions,
        bound_pods: None,
        assigned_pods: None,
        refused_pods: None,
        refused_pod_count: None,
        ..status
    }
}

/// A status with what `old` says about pods.
pub(in crate::profile) fn keeping_pods(
    status: PodIdentityProfileStatus,
    old: &PodIdentityProfileStatus,
) -> PodIdentityProfileStatus {
    let (mut new, kept) = (without_pods(status), of_pods(old));
    if let Some(own) = kept.conditions {
        new.conditions.get_or_insert_default().extend(own);
    }
    PodIdentityProfileStatus {
        bound_pods: kept.bound_pods,
        assigned_pods: kept.assigned_pods,
        refused_pods: kept.refused_pods,
        refused_pod_count: kept.refused_pod_count,
        ..new
    }
}

pub(super) fn says(profile: &PodIdentityProfile, pods: &BoundPods) -> PodIdentityProfileStatus {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let refused = pods
        .refused
        .first
        .iter()
        .map(|(name, reason)| RefusedPodStatus {
            name: name.clone(),
            reason: reason.clone(),
        });
    let refused: Vec<RefusedPodStatus> = refused.collect();
    PodIdentityProfileStatus {
        conditions: assignment_ready(profile, pods).map(|condition| vec![condition]),
        bound_pods: Some(number(pods.bound)),
        assigned_pods: Some(number(pods.assigned)),
        refused_pod_count: (!refused.is_empty()).then(|| number(pods.refused.count)),
        refused_pods: (!refused.is_empty()).then_some(refused),
        ..PodIdentityProfileStatus::default()
    }
}

/// The condition speaks of the binding that was applied; before there was any, nothing is said.
fn assignment_ready(profile: &PodIdentityProfile, pods: &BoundPods) -> Option<meta::Condition> {
    let before = condition(profile, ASSIGNMENT_READY);
    let bound = condition(profile, "BindingReady").filter(|bound| bound.status == "True");
    let generation = bound.or(before)?.observed_generation;
    let part = pods.part();
    let old = before.filter(|old| old.status == part.status.as_str());
    Some(to_kubernetes(Condition {
        kind: part.kind.to_owned(),
        status: part.status,
        reason: part.reason,
        message: part.message,
        observed_generation: generation,
        last_transition_time: old.map_or_else(now, |old| old.last_transition_time.clone()),
    }))
}
