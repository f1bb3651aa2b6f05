//! The admission policies that podid's manifests install, and what is said where one is missing or was changed.
//!
//! The operator may read them and nothing else: whoever applies the manifests puts a lost one back.

mod shipped;
mod state;

pub use shipped::{SHIPPED, wanted};
pub use state::{InstalledPolicy, PolicyBinding, PolicyPart, PolicyState, ShippedPolicy};

use crate::condition::{API_SERVER_REFUSED, ConditionStatus, SubCondition};
use crate::net_raw::NetRaw;

/// Type of the condition of a class that says whether all policies are installed.
pub const POLICIES_INSTALLED: &str = "PoliciesInstalled";

/// Reason of a condition where a policy is missing.
pub const POLICY_MISSING: &str = "PolicyMissing";

/// Reason of a condition where a policy or its binding is not as podid's manifests have it.
pub const POLICY_CHANGED: &str = "PolicyChanged";

/// What is said where a part of a policy was changed.
#[must_use]
pub fn changed_message(policy: &str, part: PolicyPart) -> String {
    match part {
        PolicyPart::Binding => format!(
            "ValidatingAdmissionPolicyBinding {policy} was changed, so that it holds nobody to the policy any more, or \
             only some; apply podid's manifests again"
        ),
        PolicyPart::Rule => format!(
            "ValidatingAdmissionPolicy {policy} was changed, or belongs to another version than this operator, so podid \
             cannot say that it still holds; apply the manifests of the operator's version"
        ),
    }
}

/// The shipped policy of this name.
#[must_use]
pub fn shipped(name: &str) -> Option<ShippedPolicy> {
    SHIPPED.into_iter().find(|policy| policy.name == name)
}

/// The policy that holds bound pods to `netRaw`; `None` where nothing is checked.
#[must_use]
pub fn for_bound_pods(rule: NetRaw) -> Option<ShippedPolicy> {
    shipped(match rule {
        NetRaw::Enforce => "podid-net-raw-enforce",
        NetRaw::Audit => "podid-net-raw-audit",
        NetRaw::Ignore => return None,
    })
}

/// The policy that holds neighbours to what their class asks; `None` where it asks nothing.
#[must_use]
pub fn for_neighbours(rule: NetRaw) -> Option<ShippedPolicy> {
    shipped(match rule {
        NetRaw::Enforce => "podid-neighbours-enforce",
        NetRaw::Audit => "podid-neighbours-audit",
        NetRaw::Ignore => return None,
    })
}

/// The condition [`POLICIES_INSTALLED`], given the [`wanted`] policies and the state of each, in their order. It is no
/// part of the `Ready` of a class: whoever removes a policy on purpose must not stop all profiles.
#[must_use]
pub fn installed_condition(wanted: &[ShippedPolicy], states: &[PolicyState]) -> SubCondition {
    let unread = states.iter().find_map(|state| match state {
        PolicyState::NotRead(message) => Some(message.clone()),
        _ => None,
    });
    let faults: Vec<String> = wanted
        .iter()
        .zip(states)
        .filter_map(|(policy, state)| fault(policy, state))
        .collect();
    let is_missing = |state: &PolicyState| matches!(state, PolicyState::Missing(_));
    let (status, reason, message) = if !faults.is_empty() {
        let reason = match states.iter().any(is_missing) {
            true => POLICY_MISSING,
            false => POLICY_CHANGED,
        };
        let message = format!(
            "not all ValidatingAdmissionPolicies are as podid installs them; apply the manifests of the operator's \
             version: {}",
            faults.join(" | ")
        );
        (ConditionStatus::False, reason, message)
    } else if let Some(message) = unread {
        (ConditionStatus::Unknown, API_SERVER_REFUSED, message)
    } else {
        let message =
            "podid's ValidatingAdmissionPolicies are there, as this version installs them"
                .to_owned();
        (ConditionStatus::True, "Installed", message)
    };
    SubCondition {
        kind: POLICIES_INSTALLED,
        status,
        reason: reason.to_owned(),
        message,
    }
}

/// What is wrong with a policy; `None` where nothing is known to be.
fn fault(policy: &ShippedPolicy, state: &PolicyState) -> Option<String> {
    let what = match state {
        PolicyState::Missing(_) => "or its binding is missing",
        PolicyState::Changed(_, PolicyPart::Binding) => "has a changed binding",
        PolicyState::Changed(_, PolicyPart::Rule) => "says something else",
        PolicyState::Installed(_) | PolicyState::NotNeeded | PolicyState::NotRead(_) => {
            return None;
        }
    };
    Some(format!(
        "{} {what} (without it, {})",
        policy.name, policy.without
    ))
}

#[cfg(test)]
mod tests;
