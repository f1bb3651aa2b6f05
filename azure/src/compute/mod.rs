mod client;
mod identity;

use std::fmt;

use async_trait::async_trait;
pub use client::ArmCompute;
pub use identity::{ComputeIdentity, IdentityPatch, ResourceIdentityType};

use crate::{ResourceGroupId, Result};

/// What identities are assigned to: a VM, or the model of a scale set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub enum ComputeTarget {
    /// A VM; also an instance of a flexible scale set.
    Vm {
        /// The group it lives in.
        group: ResourceGroupId,
        /// Its name.
        name: String,
    },
    /// A uniform scale set. All its instances have the identities of its model at once.
    ScaleSet {
        /// The group it lives in.
        group: ResourceGroupId,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for ComputeTarget {
    /// The ARM resource id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, kind, name) = match self {
            Self::Vm { group, name } => (group, "virtualMachines", name),
            Self::ScaleSet { group, name } => (group, "virtualMachineScaleSets", name),
        };
        write!(f, "{group}/providers/Microsoft.Compute/{kind}/{name}")
    }
}

/// The managed identities of VMs and scale sets.
///
/// **Guarantees.** `patch_identity` merges: identities that the patch does not name stay. It
/// returns when the operation has ended, with the state read after that. Nothing that Azure marks
/// read-only is ever sent back. Operation URLs are followed to the configured ARM host only.
///
/// **Assumptions.** One patch at a time per target, of at most 150 identities (Azure refuses more in one
/// request): the caller ensures that. Hand the etag of
/// the state the patch was computed from to `if_match`, so that a change by somebody else in
/// between is noticed.
///
/// **Errors.** [`AzureError`](crate::AzureError). Classes a caller decides on:
/// - `PreconditionFailed`, `Conflict`: somebody else changed it; read, plan again.
/// - `Forbidden` with code `LinkedAuthorizationFailed`, `Invalid` with code
///   `FailedIdentityOperation`: one named identity is missing or may not be assigned, and nothing
///   was applied. [`AzureError::named_identities`](crate::AzureError::named_identities) says which.
/// - `Throttled`: leave this target alone for the time given; others are not affected.
#[async_trait]
pub trait Compute: Send + Sync + fmt::Debug {
    /// Reads the identities of a VM or scale set; `None` if it is not there.
    async fn get_identity(&self, target: &ComputeTarget) -> Result<Option<ComputeIdentity>>;

    /// Adds and removes identities, waits for the operation to end and reads the result.
    async fn patch_identity(
        &self,
        target: &ComputeTarget,
        patch: &IdentityPatch,
        if_match: Option<&str>,
    ) -> Result<ComputeIdentity>;
}
