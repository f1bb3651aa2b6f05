//! What pods do to the profile that binds them.

use podid_core::binding::accepts_service_account;
use podid_core::condition::{ConditionStatus, ReconcileOutcome, SubCondition};
use podid_core::net_raw::NetRaw;
use podid_core::profile::desired::Desired;
use podid_core::profile::pods::{ASSIGNMENT_READY, BoundPods, NamedPods};
use podid_crds::podid::PodIdentityProfile;

use super::{NAMED, PODS_KEEP_NET_RAW, condition, key_of};
use crate::profile::Context;
use crate::profile::status::Report;
use crate::profile::verdict::{Again, Verdict};

/// Adds what pods do to how a reconciliation came out.
pub(in crate::profile) fn include(
    verdict: Verdict,
    profile: &PodIdentityProfile,
    context: &Context,
) -> Verdict {
    match (hindrance(profile, context), &verdict.report.outcome) {
        (Some(message), ReconcileOutcome::Ready { .. }) => {
            let report = Report {
                outcome: ReconcileOutcome::Retrying { message },
                ..verdict.report
            };
            // Assignment tries again by itself, and tells when something changes.
            let again = Again::AtInterval;
            Verdict {
                report,
                again,
                ..verdict
            }
        }
        _ => verdict,
    }
}

/// Why the profile is not ready, if its pods are the reason.
pub(in crate::profile) fn hindrance(
    profile: &PodIdentityProfile,
    context: &Context,
) -> Option<String> {
    match context.assignments.bound_pods(&key_of(profile)) {
        Some(pods) => pods.hindrance(),
        None => known_hindrance(profile),
    }
}

/// What the status says before pods are known again after a restart, whatever `Ready` says: that
/// may have been written in the middle of the work.
fn known_hindrance(profile: &PodIdentityProfile) -> Option<String> {
    let assignment = condition(profile, ASSIGNMENT_READY)?;
    let hindered = assignment.status == "False";
    hindered.then(|| BoundPods::hindrance_in(&assignment.message).to_owned())
}

/// Adds pods that break the rule to whether it is in force.
pub(in crate::profile) fn include_breaches(
    policy: SubCondition,
    desired: &Desired,
    profile: &PodIdentityProfile,
    context: &Context,
) -> SubCondition {
    let about_to_be = about_to_be_bound(desired, context);
    include_all(policy, desired.net_raw, &about_to_be, profile, context)
}

/// The same while no binding is applied.
pub(in crate::profile) fn include_breaches_of_bound(
    policy: SubCondition,
    net_raw: NetRaw,
    profile: &PodIdentityProfile,
    context: &Context,
) -> SubCondition {
    include_all(policy, net_raw, &NamedPods::default(), profile, context)
}

fn include_all(
    policy: SubCondition,
    net_raw: NetRaw,
    about_to_be: &NamedPods,
    profile: &PodIdentityProfile,
    context: &Context,
) -> SubCondition {
    if policy.status != ConditionStatus::True {
        return policy;
    }
    match context.assignments.bound_pods(&key_of(profile)) {
        Some(pods) => with_breaches(policy, net_raw, &pods, about_to_be),
        None => known_breaches(profile, policy.kind).unwrap_or(policy),
    }
}

/// Pods that break the rule and that the profile binds as soon as its binding is applied: the profile
/// must not be ready for the moment until they are counted.
fn about_to_be_bound(desired: &Desired, context: &Context) -> NamedPods {
    let mut named = NamedPods::default();
    let (binding, namespace) = (&desired.binding, &desired.owner.namespace);
    for pod in context.assignments.breaking(namespace, &binding.selector) {
        if accepts_service_account(&binding.service_accounts, &pod) {
            named.add(&pod.name, &pod.breaches);
        }
    }
    named
}

pub(super) fn with_breaches(
    policy: SubCondition,
    net_raw: NetRaw,
    pods: &BoundPods,
    about_to_be: &NamedPods,
) -> SubCondition {
    let audited = &pods.audited;
    let refused = match pods.refused.count {
        0 => about_to_be,
        _ => &pods.refused,
    };
    match net_raw {
        NetRaw::Enforce if refused.count > 0 => SubCondition {
            status: ConditionStatus::False,
            reason: PODS_KEEP_NET_RAW.to_owned(),
            message: format!(
                "correct the pods' template as their Events say, and recreate these pods; until then \
                 they get no identity: {}",
                refused.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Audit if audited.count > 0 => SubCondition {
            message: format!(
                "{}; served all the same, because netRaw is Audit: {}",
                policy.message,
                audited.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Enforce | NetRaw::Audit | NetRaw::Ignore => policy,
    }
}

fn known_breaches(profile: &PodIdentityProfile, kind: &'static str) -> Option<SubCondition> {
    let known = condition(profile, kind)?;
    (known.reason == PODS_KEEP_NET_RAW).then(|| SubCondition {
        kind,
        status: ConditionStatus::False,
        reason: known.reason.clone(),
        message: known.message.clone(),
    })
}
