//! Role definitions and role assignments.

use std::time::Instant;

use jiff::Timestamp;

use crate::conditions::{Attempt, Condition};
use crate::glob::glob;
use crate::seed::{Permission, RoleDefinition};

/// Built-in roles with the actions Azure documents for them.
const BUILT_IN: &str = include_str!("roles.json");

/// Further built-in roles, one per line: GUID and name. They can be found and assigned. They allow
/// nothing, because no resource that they apply to is simulated.
const MORE_BUILT_IN: &str = include_str!("more_roles.txt");

/// A role definition with the GUID that its seed may leave out.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) guid: String,
    pub(crate) built_in: bool,
    pub(crate) role: RoleDefinition,
}

/// A role assignment.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// GUID, in the letter case of the request.
    pub(crate) name: String,
    /// Id of the scope, in the letter case of the request.
    pub(crate) scope: String,
    /// GUID of the role, lower case.
    pub(crate) role: String,
    pub(crate) principal_id: String,
    pub(crate) description: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Object id of the principal that created it; absent for assignments of the seed.
    pub(crate) author: Option<String>,
    /// When it was created, for lags.
    pub(crate) created_at: Instant,
}

impl Assignment {
    /// Whether it has no condition that forbids an attempt.
    pub(crate) fn permits(&self, attempt: &Attempt<'_>) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| condition.allows(attempt))
    }
}

/// Actions on a resource itself are control plane, actions on the data in it data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    Control,
    Data,
}

/// The built-in roles.
pub(crate) fn built_in_roles() -> Result<Vec<RoleDefinition>, serde_json::Error> {
    let mut roles: Vec<RoleDefinition> = serde_json::from_str(BUILT_IN)?;
    let more = MORE_BUILT_IN
        .lines()
        .filter_map(|line| line.split_once(' '));
    for (id, name) in more {
        roles.push(serde_json::from_value(serde_json::json!({
            "id": id, "roleName": name, "assignableScopes": ["/"], "permissions": [],
        }))?);
    }
    Ok(roles)
}

impl Permission {
    pub(crate) fn allows(&self, action: &str, plane: Plane) -> bool {
        let (allowed, excluded) = match plane {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        allowed.iter().any(|p| matches(p, action)) && !excluded.iter().any(|p| matches(p, action))
    }
}

/// In Azure `x/*/read` covers `x/read` too: the role Managed Identity Operator has the actions
/// `userAssignedIdentities/*/read` and `userAssignedIdentities/*/assign/action`, and with them reads
/// and assigns identities.
fn matches(pattern: &str, action: &str) -> bool {
    glob(pattern, action) || (pattern.contains("/*/") && glob(&pattern.replace("/*/", "/"), action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_between_slashes_also_matches_nothing() {
        let operator = "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action";
        assert!(matches(
            operator,
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        ));
        assert!(!matches(
            operator,
            "Microsoft.ManagedIdentity/userAssignedIdentities/write"
        ));
    }

    #[test]
    fn a_contributor_writes_anything_but_role_assignments() -> Result<(), serde_json::Error> {
        let roles = built_in_roles()?;
        let is_allowed = |role: &str, action: &str| {
            roles.iter().filter(|r| r.role_name == role).any(|r| {
                r.permissions
                    .iter()
                    .any(|p| p.allows(action, Plane::Control))
            })
        };
        assert!(is_allowed(
            "Contributor",
            "Microsoft.Compute/virtualMachines/write"
        ));
        assert!(!is_allowed(
            "Contributor",
            "Microsoft.Authorization/roleAssignments/write"
        ));
        assert!(is_allowed(
            "Contributor",
            "Microsoft.Authorization/roleAssignments/read"
        ));
        assert!(!is_allowed(
            "Reader",
            "Microsoft.Compute/virtualMachines/write"
        ));
        assert!(is_allowed(
            "Virtual Machine Contributor",
            "Microsoft.Compute/virtualMachineScaleSets/write"
        ));
        Ok(())
    }

    #[test]
    fn no_role_but_secrets_user_reads_secrets() -> Result<(), serde_json::Error> {
        let secret = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
        for role in built_in_roles()? {
            let reads = role
                .permissions
                .iter()
                .any(|p| p.allows(secret, Plane::Data));
            assert_eq!(
                reads,
                role.role_name == "Key Vault Secrets User",
                "{}",
                role.role_name
            );
        }
        Ok(())
    }
}
