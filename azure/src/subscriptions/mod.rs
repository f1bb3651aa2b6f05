mod resources;

use std::fmt;

use async_trait::async_trait;
pub use resources::ArmSubscriptions;

use crate::{ResourceGroupId, Result};

/// A subscription, as Azure describes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Subscription {
    /// Its id, a GUID.
    pub id: String,
    /// Tenant it trusts, a GUID.
    pub tenant_id: String,
}

/// A region that a subscription may use.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// Short name, such as `westeurope`.
    pub name: String,
    /// Name for people, such as `West Europe`.
    pub display_name: String,
}

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ResourceGroup {
    /// Its id. Azure may answer in another letter case than it was asked.
    pub id: ResourceGroupId,
    /// Region of its own description; resources in it may be elsewhere.
    pub location: String,
}

/// Subscriptions and resource groups, read only.
///
/// **Assumptions.** Azure answers 403, and not 404, for what the caller may not read. The actions
/// needed are `Microsoft.Resources/subscriptions/read`,
/// `Microsoft.Resources/subscriptions/locations/read` and
/// `Microsoft.Resources/subscriptions/resourceGroups/read`.
///
/// **Errors.** [`AzureError`](crate::AzureError). Classes to expect: `Throttled`, `Forbidden`,
/// `NotFound` (of `locations` and `group`: the subscription).
#[async_trait]
pub trait Subscriptions: Send + Sync + fmt::Debug {
    /// Reads a subscription; `None` if there is none of that id.
    async fn get(&self, id: &str) -> Result<Option<Subscription>>;

    /// All regions that a subscription may use.
    async fn locations(&self, id: &str) -> Result<Vec<Location>>;

    /// Reads a resource group; `None` if there is none of that name in the subscription.
    async fn group(&self, id: &ResourceGroupId) -> Result<Option<ResourceGroup>>;
}
