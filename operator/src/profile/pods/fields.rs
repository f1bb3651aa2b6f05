//! The fields of a profile's status that are about pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use podid_core::net_raw::NamedPods;
use podid_core::profile::pods::{ASSIGNMENT_READY, BoundPods, assignment_ready};
use podid_crds::podid::{PodIdentityProfile, PodIdentityProfileStatus, RefusedPodStatus};

use crate::conditions::{core_conditions, now, to_kubernetes};

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

/// The part of the status that is about `pods`.
pub(super) fn pod_fields(
    profile: &PodIdentityProfile,
    pods: &BoundPods,
) -> PodIdentityProfileStatus {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let (refused, unserved) = (&pods.refused, &pods.unserved);
    let named = refused.first.iter().chain(&unserved.first);
    let refused = named
        .take(NamedPods::MAX_NAMED)
        .map(|(name, reason)| RefusedPodStatus {
            name: name.clone(),
            reason: reason.clone(),
        });
    let refused: Vec<RefusedPodStatus> = refused.collect();
    let condition = assignment_ready(pods, &core_conditions(profile), &now());
    PodIdentityProfileStatus {
        conditions: condition.map(|condition| vec![to_kubernetes(condition)]),
        bound_pods: Some(number(pods.bound)),
        assigned_pods: Some(number(pods.assigned)),
        refused_pod_count: (!refused.is_empty()).then(|| number(pods.without_identity())),
        refused_pods: (!refused.is_empty()).then_some(refused),
        ..PodIdentityProfileStatus::default()
    }
}
