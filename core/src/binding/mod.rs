//! Which identities a pod is bound to, and whether each may be assigned.
//!
//! | file | holds |
//! |---|---|
//! | `bound` | the rule that ties pods to AzureIdentities, for operator and node daemon alike |
//! | `pod_identities` | what a pod's bindings come to for the VM or scale set under it |
//! | `refused` | a bound pod that is refused, in words |
//! | `verification` | whether the managed identity that an AzureIdentity names may be used by it |

mod bound;
mod pod_identities;
mod refused;
mod verification;

pub use bound::{
    AzureIdentity, AzureIdentityType, Binding, BindingScope, BoundIdentities, Origin, Pod,
    accepts_service_account,
};
pub use pod_identities::{
    PodIdentities, PodIdentity, holds_identities, is_completed, pod_identities,
};
pub use refused::RefusedPod;
pub use verification::{IdentityLookup, TaggedOwner, Verification, is_made_by_profile, verify};
