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
//!                            └─► tell_pods ─► Events
//! ```
//!
//! Each part is a task of its own. What it has to look at again stands in a [set](dirty) that is its own,
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
//! | `assess`, `pod_state`, `pod_counts` | how far each pod is, and the pods of each profile |
//! | `warnings`, `pod_events`, `tell_pods` | Events on pods |
//! | `view` | what the profile controller may ask |

mod assess;
mod context;
mod dirty;
mod existing;
mod facts;
#[cfg(test)]
mod fake;
mod index;
mod metrics;
mod objects;
mod pod_counts;
mod pod_events;
mod pod_state;
mod profiles;
mod run;
mod shared_index;
mod targets;
mod tell_pods;
mod verification;
mod view;
mod warnings;

pub use context::{Context, Settings};
pub use metrics::Metrics;
pub use podid_index::ObjectKey;
pub use profiles::Owners;
pub use run::run;
pub use view::{AssignmentChanges, Assignments, Carried, CarrierChange};
