mod authorization;

use std::fmt;

use async_trait::async_trait;
pub use authorization::ArmRoleAssignments;
use uuid::Uuid;

use crate::{Deleted, Result};

/// A role held by a principal over a scope.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RoleAssignment {
    /// Full id, what [`RoleAssignments::delete`] takes.
    pub id: String,
    /// The last segment of the id, a GUID.
    pub name: String,
    /// Where the role holds. Compare without regard to letter case.
    pub scope: String,
    /// Full id of the role. The same role has several full ids: compare the last segment.
    pub role_definition_id: String,
    /// Object id of the principal.
    pub principal_id: String,
    /// Free text given when it was created.
    pub description: Option<String>,
}

/// What [`RoleAssignments::put`] writes. The principal is always a service principal, which a
/// managed identity is: naming the type lets Azure accept one that its directory has not yet
/// replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignmentSpec {
    /// Full id of the role.
    pub role_definition_id: String,
    /// Object id (not the client id) of the identity.
    pub principal_id: String,
    /// Free text for people who look at the assignment.
    pub description: Option<String>,
}

/// A built-in or custom role.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RoleDefinition {
    /// Full id, what [`RoleAssignmentSpec::role_definition_id`] takes.
    pub id: String,
    /// Name for people, such as `Key Vault Secrets User`.
    pub role_name: String,
}

/// Role assignments and role definitions.
///
/// A scope is `/`, a management group, `/subscriptions/…`, a resource group or any resource id.
///
/// **Guarantees.** Lists are read to the end. `put` never changes an assignment that exists:
/// Azure refuses a name that is taken by another principal, role or scope.
///
/// **Assumptions.** The caller picks the name of an assignment; a deterministic GUID makes `put`
/// idempotent. New assignments take up to ten minutes to act.
///
/// **Errors.** [`AzureError`](crate::AzureError). Codes a caller decides on:
/// - `RoleAssignmentExists` (class `Conflict`): the same principal has the same role on the same
///   scope under another name. List and adopt. Match the code, never the text.
/// - `RoleAssignmentUpdateNotPermitted` (class `Conflict`): the name is taken by something else.
/// - `PrincipalNotFound` (class `Propagating`): the directory has not replicated the principal yet.
/// - `RoleAssignmentLimitExceeded` (class `Invalid`): the subscription is full.
#[async_trait]
pub trait RoleAssignments: Send + Sync + fmt::Debug {
    /// Assignments of every principal **at, above and below** the scope.
    async fn list(&self, scope: &str) -> Result<Vec<RoleAssignment>>;

    /// Assignments of one principal **at, above and below** the scope; callers that want one
    /// scope compare [`RoleAssignment::scope`].
    async fn list_for_principal(
        &self,
        scope: &str,
        principal_id: &str,
    ) -> Result<Vec<RoleAssignment>>;

    /// Creates the assignment `name` on the scope.
    async fn put(
        &self,
        scope: &str,
        name: Uuid,
        spec: &RoleAssignmentSpec,
    ) -> Result<RoleAssignment>;

    /// Deletes an assignment by its full id.
    async fn delete(&self, id: &str) -> Result<Deleted>;

    /// Finds a role by its name for people, at or above the scope. `None` if there is none.
    async fn role_definition_by_name(
        &self,
        scope: &str,
        role_name: &str,
    ) -> Result<Option<RoleDefinition>>;
}
