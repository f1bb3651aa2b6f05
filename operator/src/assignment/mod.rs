//! Puts identities on the machines under the pods that are bound to them, takes them away with
//! the last user, and writes AzureAssignedIdentities that say so.
//!
//! ```text
//! watches ──► index ──► desired identities ──► `target` ──► Azure
//!               │                                     │
//!               └── pods ──► AzureAssignedIdentities ◄┘ what the machine has
//! ```
//!
//! | module | role |
//! |---|---|
//! | `watch` | what the API server tells, as plain values |
//! | `index` | which pods, hence which machines, a change concerns |
//! | `dispatch` | the one task that owns the index and starts all work |
//! | `jobs`, `objects` | AzureAssignedIdentities, one pod at a time |
//! | `lookup`, `owners` | whose identity it is that an AzureIdentity names |
//! | `assess`, `tally` | how far each pod is, and the pods of each profile |
//! | `warnings`, `pod_events` | Events on pods |

mod assess;
mod backlog;
mod dispatch;
#[cfg(test)]
mod fake;
mod handle;
mod index;
mod jobs;
mod lookup;
mod metrics;
mod objects;
mod owners;
mod pod_events;
mod tally;
mod warnings;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{Compute, Identities};
use podid_core::arm::ArmId;
use podid_core::binding::BindingScope;
use podid_runtime::{BoxError, Drain};

pub use handle::{Assignments, Carried, Change};
pub use metrics::Metrics;
pub use owners::Owners;
pub use podid_index::ObjectKey;

/// What assignment needs to run.
#[derive(Clone)]
pub struct Context {
    /// Client of the API server.
    pub client: kube::Client,
    /// Identities on machines.
    pub compute: Arc<dyn Compute>,
    /// Identities, which are only read here.
    pub identities: Arc<dyn Identities>,
    /// Whose identities are.
    pub owners: Owners,
    /// How it is to work.
    pub settings: Settings,
    /// Counters, registered once for the process.
    pub metrics: Metrics,
    /// What others may ask.
    pub assignments: Assignments,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How assignment works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the operator, where it records what it has put on machines.
    pub namespace: String,
    /// How far identities reach (`--force-namespaced`).
    pub reach: BindingScope,
    /// How often each machine is compared with what it should have, when nothing changes.
    pub interval: Duration,
    /// How long changes of one machine are collected before they go out together.
    pub window: Duration,
    /// Identities that are never taken off a machine, whoever put them there.
    pub immutable: BTreeSet<ArmId>,
}

impl Settings {
    /// Time between two comparisons of a machine that nothing happens to. A read costs little:
    /// Azure allows 25 a second.
    pub const INTERVAL: Duration = Duration::from_secs(180);
    /// Long enough for the pods of one rollout, too short to be felt beside a change in Azure.
    pub const WINDOW: Duration = Duration::from_millis(250);
}

/// Runs until `drain`, or until something it cannot work without fails. Start it only while this
/// process leads: two at a time would work against each other.
///
/// # Errors
/// The records of earlier work cannot be read, or a task of its own failed.
pub async fn run(context: Context, drain: Drain) -> Result<(), BoxError> {
    dispatch::run(context, drain).await
}
