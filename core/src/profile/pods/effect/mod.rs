//! The effect of pods on the conditions of the profile that binds them.

use serde::Serialize;

use super::{ASSIGNMENT_READY, BoundPods};
use crate::binding::{Pod, accepts_service_account};
use crate::condition::{API_SERVER_REFUSED, Condition, ConditionStatus, SubCondition};
use crate::net_raw::{NamedPods, NetRaw};
use crate::policy::{POLICY_CHANGED, POLICY_MISSING, PolicyState, changed_message};
use crate::profile::ConditionType;
use crate::profile::desired::DesiredBinding;

/// Reason of `EnforcementReady` while bound pods break the `NET_RAW` rule.
pub const PODS_KEEP_NET_RAW: &str = "PodsKeepNetRaw";

/// How many pods the message of a condition names.
const NAMED: usize = 3;

/// The part of [`BoundPods`] on which the profile's conditions depend. While it stays the same, a change of
/// pods needs no reconciliation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodEffect {
    problem: Option<String>,
    refused: String,
    audited: String,
}

impl BoundPods {
    /// See [`PodEffect`].
    #[must_use]
    pub fn effect(&self) -> PodEffect {
        PodEffect {
            problem: self.problem(),
            refused: self.refused.sentence(NAMED),
            audited: self.audited.sentence(NAMED),
        }
    }
}

/// `EnforcementReady` for the state of the policy alone.
#[must_use]
pub fn policy_condition(net_raw: NetRaw, policy: PolicyState) -> SubCondition {
    let (status, reason, message) = match policy {
        PolicyState::NotNeeded => (
            ConditionStatus::True,
            "Ignored".to_owned(),
            "netRaw is Ignore; pods may keep NET_RAW".to_owned(),
        ),
        PolicyState::Installed(name) => (
            ConditionStatus::True,
            match net_raw {
                NetRaw::Enforce => "Enforced".to_owned(),
                NetRaw::Audit | NetRaw::Ignore => "Audited".to_owned(),
            },
            format!("ValidatingAdmissionPolicy {name} checks that bound pods drop NET_RAW"),
        ),
        PolicyState::Missing(name) => (
            ConditionStatus::False,
            POLICY_MISSING.to_owned(),
            format!(
                "ValidatingAdmissionPolicy {name} or its binding is not installed, so nothing \
                 keeps bound pods from holding NET_RAW; install podid's policies, or set \
                 spec.netRaw where the class allows it"
            ),
        ),
        PolicyState::Changed(name, part) => (
            ConditionStatus::False,
            POLICY_CHANGED.to_owned(),
            changed_message(name, part),
        ),
        PolicyState::NotRead(message) => (
            ConditionStatus::Unknown,
            API_SERVER_REFUSED.to_owned(),
            message,
        ),
    };
    SubCondition {
        kind: ConditionType::EnforcementReady.as_str(),
        status,
        reason,
        message,
    }
}

/// `EnforcementReady` for the policy and for pods that break the rule nevertheless. `pods` is `None` after a
/// restart until they are counted; until then the breaches in the `reported` condition count.
#[must_use]
pub fn enforcement<T>(
    policy: SubCondition,
    net_raw: NetRaw,
    pods: Option<&BoundPods>,
    about_to_be: &NamedPods,
    reported: &[Condition<T>],
) -> SubCondition {
    // A missing policy is the first thing to correct, and explains pods that break the rule.
    if policy.status != ConditionStatus::True {
        return policy;
    }
    match pods {
        Some(pods) => with_breaches(policy, net_raw, pods, about_to_be),
        None => reported_breaches(policy.kind, reported).unwrap_or(policy),
    }
}

fn with_breaches(
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
                "bound pods get no identity, because they break the NET_RAW rule; correct their template, \
                 as their Events say, and recreate them: {}",
                refused.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Audit if audited.count > 0 => SubCondition {
            message: format!(
                "{}; podid serves pods that do not, because netRaw is Audit: {}",
                policy.message,
                audited.sentence(NAMED)
            ),
            ..policy
        },
        NetRaw::Enforce | NetRaw::Audit | NetRaw::Ignore => policy,
    }
}

fn reported_breaches<T>(kind: &'static str, reported: &[Condition<T>]) -> Option<SubCondition> {
    let known = find(reported, kind)?;
    (known.reason == PODS_KEEP_NET_RAW).then(|| SubCondition {
        kind,
        status: ConditionStatus::False,
        reason: known.reason.clone(),
        message: known.message.clone(),
    })
}

/// Of pods that break the rule, those that the profile will bind when its binding is applied. They count
/// before that, or the profile would be ready for a moment.
#[must_use]
pub fn about_to_be_bound(breaking: &[Pod], binding: &DesiredBinding) -> NamedPods {
    let mut named = NamedPods::default();
    for pod in breaking {
        if accepts_service_account(&binding.service_accounts, pod) {
            named.add(&pod.name, &pod.breaches);
        }
    }
    named
}

/// Why the profile is not ready, if its pods are the reason. `pods` is `None` after a restart until
/// they are counted; until then the reported `AssignmentReady` counts. `Ready` does not: it may have been
/// written before the work was finished.
#[must_use]
pub fn pods_problem<T>(pods: Option<&BoundPods>, reported: &[Condition<T>]) -> Option<String> {
    if let Some(pods) = pods {
        return pods.problem();
    }
    let assignment = find(reported, ASSIGNMENT_READY)?;
    let has_problem = assignment.status == ConditionStatus::False;
    has_problem.then(|| BoundPods::problem_in(&assignment.message).to_owned())
}

/// The condition `AssignmentReady`, with the generation of the binding that was applied; `None` before a
/// binding was applied.
#[must_use]
pub fn assignment_ready<T: Clone>(
    pods: &BoundPods,
    reported: &[Condition<T>],
    now: &T,
) -> Option<Condition<T>> {
    let before = find(reported, ASSIGNMENT_READY);
    let bound = find(reported, ConditionType::BindingReady.as_str());
    let bound = bound.filter(|bound| bound.status == ConditionStatus::True);
    let generation = bound.or(before)?.observed_generation;
    let part = pods.part();
    let unchanged = before.filter(|before| before.status == part.status);
    Some(Condition {
        kind: part.kind.to_owned(),
        status: part.status,
        reason: part.reason,
        message: part.message,
        observed_generation: generation,
        last_transition_time: unchanged.map_or(now, |it| &it.last_transition_time).clone(),
    })
}

fn find<'a, T>(conditions: &'a [Condition<T>], kind: &str) -> Option<&'a Condition<T>> {
    conditions.iter().find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests;
