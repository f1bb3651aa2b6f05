//! The admission policies that podid's manifests install, and what is said where one is missing.
//!
//! The operator may read them and nothing else: whoever applies the manifests puts a lost one back.

use serde::Serialize;

use crate::condition::{API_SERVER_REFUSED, ConditionStatus, SubCondition};
use crate::net_raw::NetRaw;

/// Type of the condition of a class that says whether all policies are installed.
pub const POLICIES_INSTALLED: &str = "PoliciesInstalled";

/// Reason of a condition where a policy is missing.
pub const POLICY_MISSING: &str = "PolicyMissing";

/// Reason of a condition where the binding of a policy holds nobody to it any more, or only some.
pub const POLICY_CHANGED: &str = "PolicyChanged";

/// A ValidatingAdmissionPolicy of podid's; its binding has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShippedPolicy {
    /// Its name.
    pub name: &'static str,
    /// One of these its binding must have among its `validationActions`.
    pub actions: &'static [&'static str],
    /// What is so without it.
    pub without: &'static str,
}

/// What a binding says, as far as it decides whether its policy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyBinding {
    /// `policyName`
    pub policy: String,
    /// `validationActions`
    pub actions: Vec<String>,
    /// Whether `matchResources` leaves objects out, or `paramRef` parameters.
    pub is_narrowed: bool,
}

const DENY: &[&str] = &["Deny"];
const WARN: &[&str] = &["Warn"];

const fn policy(
    name: &'static str,
    actions: &'static [&'static str],
    without: &'static str,
) -> ShippedPolicy {
    ShippedPolicy {
        name,
        actions,
        without,
    }
}

/// Those that every installation has, by name. Components add others, of which nobody knows whether they are wanted.
pub const SHIPPED: [ShippedPolicy; 13] = [
    policy(
        "podid-assigned-identities",
        DENY,
        "others than the operator may write AzureAssignedIdentities where RBAC lets them",
    ),
    policy(
        "podid-assignment-records",
        DENY,
        "the operator may write other ConfigMaps of its namespace",
    ),
    policy(
        "podid-binding-label",
        DENY,
        "whoever may write the status or placement of pods may bind them",
    ),
    policy(
        "podid-class-limits",
        &["Deny", "Warn"],
        "profiles beyond their class are refused by the operator only, after they were applied",
    ),
    policy(
        "podid-daemon-events",
        DENY,
        "a node daemon may write Events about anything",
    ),
    policy(
        "podid-neighbours-audit",
        WARN,
        "nobody is warned of neighbours that keep NET_RAW",
    ),
    policy(
        "podid-neighbours-enforce",
        DENY,
        "neighbours that keep NET_RAW are admitted",
    ),
    policy(
        "podid-neighbours-templates",
        WARN,
        "nobody is warned of templates whose pods would be refused as neighbours",
    ),
    policy(
        "podid-net-raw-audit",
        WARN,
        "nobody is warned of bound pods that keep NET_RAW",
    ),
    policy(
        "podid-net-raw-enforce",
        DENY,
        "bound pods that keep NET_RAW are admitted, and get no token",
    ),
    policy(
        "podid-net-raw-templates",
        WARN,
        "nobody is warned of templates whose pods would be refused",
    ),
    policy(
        "podid-node-taints",
        DENY,
        "the operator may change all of a node",
    ),
    policy(
        "podid-profile-specs",
        DENY,
        "the operator may change the specs of profiles",
    ),
];

impl ShippedPolicy {
    /// The state of the policy, given its binding; `None` where one of the two is not there. What a policy itself says
    /// is not compared.
    #[must_use]
    pub fn state(&self, binding: Option<&PolicyBinding>) -> PolicyState {
        let Some(binding) = binding else {
            return PolicyState::Missing(self.name);
        };
        let acts = |action: &&str| binding.actions.iter().any(|it| it == action);
        let holds =
            binding.policy == self.name && self.actions.iter().any(acts) && !binding.is_narrowed;
        match holds {
            true => PolicyState::Installed(self.name),
            false => PolicyState::Changed(self.name),
        }
    }
}

/// What is said where somebody changed the binding of a policy.
#[must_use]
pub fn changed_message(policy: &str) -> String {
    format!(
        "ValidatingAdmissionPolicyBinding {policy} was changed, so that it holds nobody to the policy any more, or only \
         some; apply podid's manifests again"
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

/// Whether a policy holds somebody to its rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum PolicyState {
    /// The ValidatingAdmissionPolicy of this name is installed and bound.
    Installed(&'static str),
    /// The ValidatingAdmissionPolicy of this name, or its binding, is not installed.
    Missing(&'static str),
    /// The binding of this name is not as podid's manifests have it.
    Changed(&'static str),
    /// None is needed.
    NotNeeded,
    /// It could not be read: what failed, on what and why.
    NotRead(String),
}

/// The condition [`POLICIES_INSTALLED`], given the state of each policy. It is no part of `Ready`: whoever removes a
/// policy on purpose must not stop all profiles.
#[must_use]
pub fn installed_condition(states: &[PolicyState]) -> SubCondition {
    let unread = states.iter().find_map(|state| match state {
        PolicyState::NotRead(message) => Some(message.clone()),
        _ => None,
    });
    let does_not_hold = |policy: &&ShippedPolicy| {
        let name = policy.name;
        [PolicyState::Missing(name), PolicyState::Changed(name)]
            .iter()
            .any(|state| states.contains(state))
    };
    let missing: Vec<String> = SHIPPED
        .iter()
        .filter(does_not_hold)
        .map(|policy| format!("{} ({})", policy.name, policy.without))
        .collect();
    let (status, reason, message) = if !missing.is_empty() {
        let message = format!(
            "these ValidatingAdmissionPolicies or their bindings are missing or were changed; apply podid's manifests \
             again: {}",
            missing.join(" | ")
        );
        (ConditionStatus::False, POLICY_MISSING, message)
    } else if let Some(message) = unread {
        (ConditionStatus::Unknown, API_SERVER_REFUSED, message)
    } else {
        let message =
            "the ValidatingAdmissionPolicies that every installation of podid has are there"
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
mod tests {
    use super::*;

    #[test]
    fn the_operator_may_read_every_policy_and_no_other() {
        let rights = include_str!("../../kustomize/cluster/rbac/operator.yaml");
        let (_, listed) = rights
            .split_once("validatingadmissionpolicybindings]\n    resourceNames:\n")
            .expect("the rule");
        let listed = listed
            .lines()
            .map_while(|line| line.trim().strip_prefix("- "));
        let shipped = SHIPPED.iter().map(|policy| policy.name);
        assert_eq!(listed.collect::<Vec<_>>(), shipped.collect::<Vec<_>>());
    }

    #[test]
    fn each_rule_has_its_policy() {
        let name = |policy: Option<ShippedPolicy>| policy.map(|policy| policy.name);
        assert_eq!(
            name(for_bound_pods(NetRaw::Enforce)),
            Some("podid-net-raw-enforce")
        );
        assert_eq!(
            name(for_bound_pods(NetRaw::Audit)),
            Some("podid-net-raw-audit")
        );
        assert_eq!(name(for_bound_pods(NetRaw::Ignore)), None);
        assert_eq!(
            name(for_neighbours(NetRaw::Enforce)),
            Some("podid-neighbours-enforce")
        );
        assert_eq!(
            name(for_neighbours(NetRaw::Audit)),
            Some("podid-neighbours-audit")
        );
        assert_eq!(name(for_neighbours(NetRaw::Ignore)), None);
    }

    #[test]
    fn a_binding_that_was_changed_holds_nobody() {
        let policy = for_bound_pods(NetRaw::Enforce).expect("a policy");
        let good = PolicyBinding {
            policy: policy.name.to_owned(),
            actions: vec!["Audit".into(), "Deny".into()],
            is_narrowed: false,
        };
        assert_eq!(
            policy.state(Some(&good)),
            PolicyState::Installed(policy.name)
        );
        assert_eq!(policy.state(None), PolicyState::Missing(policy.name));
        let others = [
            PolicyBinding {
                policy: "podid-net-raw-audit".into(),
                ..good.clone()
            },
            PolicyBinding {
                actions: vec!["Warn".into()],
                ..good.clone()
            },
            PolicyBinding {
                is_narrowed: true,
                ..good
            },
        ];
        for other in others {
            let state = policy.state(Some(&other));
            assert_eq!(state, PolicyState::Changed(policy.name), "{other:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_before_what_could_not_be_read() {
        let installed = || {
            SHIPPED
                .iter()
                .map(|policy| PolicyState::Installed(policy.name))
        };
        let mut states: Vec<_> = installed().collect();
        assert_eq!(installed_condition(&states).status, ConditionStatus::True);
        states[0] = PolicyState::NotRead("may not read".into());
        let unread = installed_condition(&states);
        assert_eq!(
            (unread.status, &*unread.message),
            (ConditionStatus::Unknown, "may not read")
        );
        states[3] = PolicyState::Missing("podid-class-limits");
        let missing = installed_condition(&states);
        assert_eq!(missing.status, ConditionStatus::False);
        assert!(
            missing
                .message
                .contains("again: podid-class-limits (profiles beyond")
        );
    }
}
