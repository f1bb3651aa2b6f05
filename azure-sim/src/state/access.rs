//! Roles, assignments, and the one question: may this principal do that there?

use std::time::Instant;

use jiff::Timestamp;

use super::State;
use super::ids::{covers, fold, last};
use crate::glob::glob;
use crate::world::{Permission, RoleDefinition};

/// Built-in roles with the actions Azure documents for them.
const BUILT_IN: &str = include_str!("roles.json");

/// Further built-in roles, GUID and name a line: they can be found and assigned, and allow nothing,
/// because nothing that they are about is simulated.
const MORE_BUILT_IN: &str = include_str!("more_roles.txt");

/// A role definition with its id settled.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) guid: String,
    pub(crate) built_in: bool,
    pub(crate) role: RoleDefinition,
}

/// A role held by a principal at a scope.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// GUID, as given.
    pub(crate) name: String,
    /// As given.
    pub(crate) scope: String,
    /// GUID of the role, lower case.
    pub(crate) role: String,
    pub(crate) principal_id: String,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Object id of who made it.
    pub(crate) author: Option<String>,
    pub(crate) born: Instant,
}

/// Whether an action is one on the resource itself or on the data in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    Control,
    Data,
}

/// Reads the built-in roles.
pub(crate) fn built_in() -> Result<Vec<RoleDefinition>, serde_json::Error> {
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
    fn allows(&self, action: &str, plane: Plane) -> bool {
        let (allowed, taken) = match plane {
            Plane::Control => (&self.actions, &self.not_actions),
            Plane::Data => (&self.data_actions, &self.not_data_actions),
        };
        allowed.iter().any(|p| fits(p, action)) && !taken.iter().any(|p| fits(p, action))
    }
}

/// Azure's `x/*/read` covers `x/read` too: Managed Identity Operator reads and assigns identities
/// by `userAssignedIdentities/*/read` and `userAssignedIdentities/*/assign/action`.
fn fits(pattern: &str, action: &str) -> bool {
    glob(pattern, action) || (pattern.contains("/*/") && glob(&pattern.replace("/*/", "/"), action))
}

impl State {
    /// Whether `principal` may do `action` at `scope`, through the assignments `counts` accepts.
    pub(crate) fn may_through(
        &self,
        principal: &str,
        (plane, action): (Plane, &str),
        scope: &str,
        counts: impl Fn(&Assignment) -> bool,
    ) -> bool {
        let scope = fold(scope);
        self.assignments
            .values()
            .filter(|a| a.principal_id.eq_ignore_ascii_case(principal))
            .filter(|a| covers(&fold(&a.scope), &scope))
            .filter(|a| {
                self.definitions
                    .get(&a.role)
                    .is_some_and(|d| d.role.permissions.iter().any(|p| p.allows(action, plane)))
            })
            .any(counts)
    }

    /// Whether `principal` may do a management action at `scope`.
    pub(crate) fn may(&self, principal: &str, action: &str, scope: &str) -> bool {
        self.may_through(principal, (Plane::Control, action), scope, |_| true)
    }

    /// A role by name, GUID or full id.
    pub(crate) fn definition(&self, role: &str) -> Option<&Definition> {
        let guid = last(role).to_lowercase();
        self.definitions.get(&guid).or_else(|| {
            self.definitions
                .values()
                .find(|d| d.role.role_name.eq_ignore_ascii_case(role))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_between_slashes_also_means_nothing() {
        let operator = "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action";
        assert!(fits(
            operator,
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        ));
        assert!(!fits(
            operator,
            "Microsoft.ManagedIdentity/userAssignedIdentities/write"
        ));
    }

    #[test]
    fn a_contributor_writes_anything_but_rights() -> Result<(), serde_json::Error> {
        let roles = built_in()?;
        let may = |role: &str, action: &str| {
            roles.iter().filter(|r| r.role_name == role).any(|r| {
                r.permissions
                    .iter()
                    .any(|p| p.allows(action, Plane::Control))
            })
        };
        assert!(may(
            "Contributor",
            "Microsoft.Compute/virtualMachines/write"
        ));
        assert!(!may(
            "Contributor",
            "Microsoft.Authorization/roleAssignments/write"
        ));
        assert!(may(
            "Contributor",
            "Microsoft.Authorization/roleAssignments/read"
        ));
        assert!(!may("Reader", "Microsoft.Compute/virtualMachines/write"));
        assert!(may(
            "Virtual Machine Contributor",
            "Microsoft.Compute/virtualMachineScaleSets/write"
        ));
        Ok(())
    }

    #[test]
    fn managing_a_vault_is_not_reading_its_secrets() -> Result<(), serde_json::Error> {
        let secret = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
        for role in built_in()? {
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
