//! The condition of a role assignment by which its holder may grant only some roles.

use std::collections::BTreeSet;

use uuid::Uuid;

/// What [`CONDITION_TEMPLATE`] has where the roles are to be.
pub const PLACE_OF_ROLES: &str = "ROLES";

/// Allows to make and to delete assignments of some roles, and only those of service principals, as managed identities
/// are. Source: learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples.
pub const CONDITION_TEMPLATE: &str = "\
(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
 )
 OR
 (
  @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {ROLES}
  AND
  @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal'}
 )
)
AND
(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})
 )
 OR
 (
  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {ROLES}
  AND
  @Resource[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal'}
 )
)
";

/// The condition for these roles.
#[must_use]
pub fn condition(roles: &BTreeSet<Uuid>) -> String {
    let ids: Vec<String> = roles.iter().map(Uuid::to_string).collect();
    CONDITION_TEMPLATE.replace(PLACE_OF_ROLES, &ids.join(", "))
}
