//! The admission policies that podid's manifests install, and what is said where one is missing.
//!
//! The operator may read them and nothing else: whoever applies the manifests puts a lost one back.

mod shipped;
mod state;

pub use shipped::{SHIPPED, wanted};
pub use state::{InstalledPolicy, PolicyBinding, PolicyState, ShippedPolicy};

use crate::condition::{API_SERVER_REFUSED, ConditionStatus, SubCondition};
use crate::net_raw::NetRaw;

/// Type of the condition of a class that says whether all policies are installed.
pub const POLICIES_INSTALLED: &str = "PoliciesInstalled";

/// Reason of a condition where a policy is missing.
pub const POLICY_MISSING: &str = "PolicyMissing";

/// Reason of a condition where the binding of a policy holds nobody to it any more, or only some.
pub const POLICY_CHANGED: &str = "PolicyChanged";

/// What is said where somebody changed the binding of a policy.
#[must_use]
pub fn changed_binding_message(policy: &str) -> String {
    format!(
        "ValidatingAdmissionPolicyBinding {policy} was changed, so that it holds nobody to the policy any more, or only \
         some; apply podid's manifests again"
    )
}

/// What is said where a policy says something else than the manifests of this version.
#[must_use]
pub fn changed_rule_message(policy: &str) -> String {
    format!(
        "ValidatingAdmissionPolicy {policy} was changed, or is that of another version of podid, so nobody knows whom it \
         holds to what; apply podid's manifests again"
    )
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

/// The condition [`POLICIES_INSTALLED`], given the state of each [`wanted`] policy. It is no part of `Ready`: whoever removes a
/// policy on purpose must not stop all profiles.
#[must_use]
pub fn installed_condition(wanted: &[ShippedPolicy], states: &[PolicyState]) -> SubCondition {
    let unread = states.iter().find_map(|state| match state {
        PolicyState::NotRead(message) => Some(message.clone()),
        _ => None,
    });
    let does_not_hold = |policy: &&ShippedPolicy| {
        let name = policy.name;
        let faults = [
            PolicyState::Missing(name),
            PolicyState::BindingChanged(name),
            PolicyState::RuleChanged(name),
        ];
        faults.iter().any(|state| states.contains(state))
    };
    let missing: Vec<String> = wanted
        .iter()
        .filter(does_not_hold)
        .map(|policy| format!("{} ({})", policy.name, policy.without))
        .collect();
    let (status, reason, message) = if !missing.is_empty() {
        let message = format!(
            "these ValidatingAdmissionPolicies or their bindings are missing, were changed, or are those of another \
             version; apply podid's manifests again: {}",
            missing.join(" | ")
        );
        (ConditionStatus::False, POLICY_MISSING, message)
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

#[cfg(test)]
mod tests;
