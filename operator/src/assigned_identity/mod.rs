//! The controller of AzureAssignedIdentities: puts identities on the VMs and scale sets under the pods that
//! are bound to them, takes them away with the last user, and writes AzureAssignedIdentities that say so.
//!
//! ```text
//! watches ─► facts ──────► shared_index ─► targets ─► crate::target ─► Azure
//!            profiles ───►   │  ▲    ▲        └─ what each VM or scale set has
//!                            │  │    └──────────┘
//!                            │  └─ verification ─► Azure (reads)
//!                            ├─► objects ─► AzureAssignedIdentities
//!                            ├─► pod_counts ─► view ─► the profile controller
//!                            └─► pod_events ─► Events
//! ```
//!
//! Each part is a task of its own. What it has to look at again stands in a [set](crate::dirty) that is its own,
//! so that no part waits for another.
//!
//! | module | role |
//! |---|---|
//! | `facts` | applies what watches give to the index |
//! | `profiles` | applies profiles; whose identity it is, as profiles and classes say |
//! | `index`, `shared_index` | which pods, hence which targets, a change concerns |
//! | `targets` | hands desired identities to VMs and scale sets, and takes in what they have |
//! | `verification` | looks up in Azure whose identity it is that an AzureIdentity names |
//! | `existing`, `objects` | AzureAssignedIdentities: those that exist, and writing them |
//! | `pod_counts` | counts the pods of each profile |
//! | `pod_events` | Events on pods |
//! | `view` | what the profile controller may ask |

mod context;
mod existing;
mod facts;
#[cfg(test)]
mod fake;
mod index;
mod metrics;
mod objects;
mod pod_counts;
mod pod_events;
mod profiles;
mod run;
mod shared_index;
mod targets;
mod verification;
mod view;

pub use context::{AssignedIdentityContext, AssignedIdentitySettings};
pub use metrics::AssignedIdentityMetrics;
pub use podid_index::ObjectKey;
pub use profiles::ProfileStores;
pub use run::run;
pub use view::{AssignmentChanges, AssignmentView, BoundPodsChange, TargetsWithIdentityChange};
