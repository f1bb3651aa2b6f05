use std::fmt;

use serde::Serialize;

/// Conditions of a profile beside `Ready`, in the order of the work and of the status.
/// `AssignmentReady` is not among them: another field owner writes it, from the counts of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ConditionType {
    /// The managed identity exists in Azure.
    IdentityReady,
    /// The role assignments exist.
    AccessReady,
    /// The AzureIdentity and the AzureIdentityBinding exist.
    BindingReady,
    /// The `NET_RAW` rule that the profile asks for is in force.
    EnforcementReady,
}

impl ConditionType {
    /// What a reconciliation makes, in Azure and in the cluster.
    pub const MADE: [Self; 3] = [Self::IdentityReady, Self::AccessReady, Self::BindingReady];

    /// Types of all these conditions, in the order in which they are shown.
    pub const ALL: [&'static str; 4] = [
        Self::IdentityReady.as_str(),
        Self::AccessReady.as_str(),
        Self::BindingReady.as_str(),
        Self::EnforcementReady.as_str(),
    ];

    /// The type as the status holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdentityReady => "IdentityReady",
            Self::AccessReady => "AccessReady",
            Self::BindingReady => "BindingReady",
            Self::EnforcementReady => "EnforcementReady",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_shown_by_its_type_in_the_status() {
        use ConditionType::{AccessReady, BindingReady, EnforcementReady, IdentityReady};
        let all = [IdentityReady, AccessReady, BindingReady, EnforcementReady];
        assert_eq!(
            all.map(|condition| condition.to_string()),
            ConditionType::ALL
        );
    }
}
