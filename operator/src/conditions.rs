//! Conditions between the words of `core` and those of Kubernetes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use podid_core::class::Usability;
use podid_core::condition::{Condition, ConditionStatus, READY};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};

/// The time, in whole seconds, as the API server keeps it.
pub(crate) fn now() -> meta::Time {
    let now = Timestamp::now();
    meta::Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// A condition in the words of `core`.
#[must_use]
pub(crate) fn from_kubernetes(condition: &meta::Condition) -> Condition<meta::Time> {
    Condition {
        kind: condition.type_.clone(),
        status: match condition.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        },
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        observed_generation: condition.observed_generation,
        last_transition_time: condition.last_transition_time.clone(),
    }
}

/// The conditions of a profile in the words of `core`.
pub(crate) fn core_conditions(profile: &PodIdentityProfile) -> Vec<Condition<meta::Time>> {
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .map(from_kubernetes)
        .collect()
}

/// `Ready`, if it speaks of this generation.
pub(crate) fn ready_at(
    generation: Option<i64>,
    conditions: Option<&Vec<meta::Condition>>,
) -> Option<Condition<meta::Time>> {
    conditions
        .into_iter()
        .flatten()
        .find(|it| it.type_ == READY && it.observed_generation == generation)
        .map(from_kubernetes)
}

/// The same of a profile.
pub(crate) fn ready_of_profile(profile: &PodIdentityProfile) -> Option<Condition<meta::Time>> {
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    ready_at(profile.meta().generation, conditions)
}

/// Whether profiles may use a class, as its own status says.
pub(crate) fn usability(class: &PodIdentityClass) -> Usability {
    let status = class.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    Usability::of(ready_at(class.meta().generation, conditions).as_ref())
}

/// A condition as an object has it.
#[must_use]
pub(crate) fn to_kubernetes(condition: Condition<meta::Time>) -> meta::Condition {
    meta::Condition {
        type_: condition.kind,
        status: condition.status.as_str().to_owned(),
        reason: condition.reason,
        message: condition.message,
        observed_generation: condition.observed_generation,
        last_transition_time: condition.last_transition_time,
    }
}
