//! AzureAssignedIdentities: how far a pod is with each identity, and which objects to write.
//!
//! | file | holds |
//! |---|---|
//! | `state` | the state of one pod's use of one identity |
//! | `failure` | why an identity is not on a VM or scale set |
//! | `object` | an AzureAssignedIdentity |
//! | `progress` | how far a pod is with each of its identities |
//! | `plan` | which objects a pod should have, and what to write |
//! | `warning` | why a pod does not have its identities, for Events on it |

mod failure;
mod object;
mod plan;
mod progress;
mod state;
mod warning;

pub use failure::AssignmentFailure;
pub use object::AssignedIdentity;
pub use plan::{AssignedIdentityPlan, assigned_identities, plan_assigned_identities};
pub use progress::{IdentityProgress, ObservedPod};
pub use state::AssignmentState;
pub use warning::{AssignmentWarning, assignment_warnings};
