//! Which identities a pod is bound to, and whether each may be assigned.
//!
//! | file | holds |
//! |---|---|
//! | `bound` | the rule that ties pods to AzureIdentities, for operator and node daemon alike |
//! | `hand_written` | which AzureIdentities that people wrote are served |
//! | `other_account` | a binding that does not take a pod's service account, and the text for its Event |
//! | `pod_identities` | which identities the VM or scale set under a pod must have for it |
//! | `refused` | a bound pod that is refused, and the text for its Event |
//! | `rules` | what the cluster's administrator says about who is served |
//! | `unserved` | kinds of pods that are never served |
//! | `verification` | whether the managed identity that an AzureIdentity names may be used by it |

mod bound;
mod hand_written;
mod other_account;
mod pod_identities;
mod refused;
mod rules;
mod unserved;
mod verification;

pub use bound::{
    AzureIdentity, AzureIdentityType, Binding, BoundIdentities, Pod, accepts_service_account,
};
pub use hand_written::HandWrittenLimits;
pub use other_account::OtherAccount;
pub use pod_identities::{
    PodIdentities, PodIdentity, holds_identities, is_completed, pod_identities,
};
pub use refused::{RefusalCause, RefusedPod};
pub use rules::{BindingScope, LegacyIdentities, ServingRules};
pub use unserved::Unserved;
pub use verification::{
    IdentityLookup, LookupHistory, TaggedOwner, Verification, is_made_by_profile, verify,
};
