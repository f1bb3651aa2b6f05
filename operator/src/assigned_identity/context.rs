//! What the controller of AzureAssignedIdentities works with.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{Compute, Identities};
use podid_core::arm::ArmId;
use podid_core::binding::BindingScope;

use super::metrics::Metrics;
use super::profiles::Owners;
use super::view::Assignments;

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
    /// Which namespaces a binding selects pods in (`--force-namespaced`).
    pub scope: BindingScope,
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
