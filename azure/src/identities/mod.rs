mod msi;

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
pub use msi::ArmIdentities;

use crate::{Deleted, IdentityId, ResourceGroupId, Result};

/// A user-assigned managed identity, as Azure describes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UserAssignedIdentity {
    /// Its resource id. Azure may answer in another letter case than it was asked.
    pub id: IdentityId,
    /// Azure region, such as `westeurope`. It never changes.
    pub location: String,
    /// Azure tags.
    pub tags: BTreeMap<String, String>,
    /// Application id: what clients name when they ask for a token.
    pub client_id: String,
    /// Object id of the service principal: what role assignments name.
    pub principal_id: String,
    /// Tenant in which the identity lives.
    pub tenant_id: String,
}

/// What [`Identities::put`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAssignedIdentitySpec {
    /// Azure region. For an identity that exists it must be the region it has.
    pub location: String,
    /// Azure tags. They **replace** the tags the identity has.
    pub tags: BTreeMap<String, String>,
}

/// User-assigned managed identities.
///
/// **Guarantees.** Every call is idempotent. `put` of a name that exists keeps its client id and
/// principal id. Answers are complete: paged lists are read to the end.
///
/// **Assumptions.** Azure is eventually consistent: for a short time after a successful `put`,
/// `get` may still answer `None`. A caller that has just written must not conclude from `None`
/// that it has to write again under another name.
///
/// **Caveats.** An identity that was deleted and made again has a *new* client id and principal
/// id. Deleting an identity leaves its role assignments behind: delete those first.
///
/// **Errors.** [`AzureError`](crate::AzureError). Classes to expect: `Throttled` (the service
/// writes at most 2 identities per second and subscription), `Forbidden`, `NotFound` (the group or
/// the subscription, never the identity of a `get`), `Invalid` (a name, a location, a policy).
#[async_trait]
pub trait Identities: Send + Sync + fmt::Debug {
    /// Reads one identity; `None` if there is none of that name in the group.
    async fn get(&self, id: &IdentityId) -> Result<Option<UserAssignedIdentity>>;

    /// Creates the identity or updates its tags.
    async fn put(
        &self,
        id: &IdentityId,
        spec: &UserAssignedIdentitySpec,
    ) -> Result<UserAssignedIdentity>;

    /// Deletes the identity. No new tokens from then on; those already issued live until they
    /// expire.
    async fn delete(&self, id: &IdentityId) -> Result<Deleted>;

    /// All identities of one resource group.
    async fn list_by_group(&self, group: &ResourceGroupId) -> Result<Vec<UserAssignedIdentity>>;
}
