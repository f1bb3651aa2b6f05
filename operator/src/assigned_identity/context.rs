//! What the controller of AzureAssignedIdentities works with.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{Compute, Identities};
use podid_core::arm::ArmId;
use podid_core::binding::ServingRules;

use super::metrics::AssignedIdentityMetrics;
use super::profiles::ProfileStores;
use super::view::AssignmentView;

/// What the controller of AzureAssignedIdentities needs to run.
#[derive(Clone)]
pub struct AssignedIdentityContext {
    /// Client of the API server.
    pub client: kube::Client,
    /// Identities on VMs and scale sets.
    pub compute: Arc<dyn Compute>,
    /// Identities, which are only read here.
    pub identities: Arc<dyn Identities>,
    /// Profiles and classes: whose an identity is, and who may use it.
    pub stores: ProfileStores,
    /// How it is to work.
    pub settings: AssignedIdentitySettings,
    /// Counters, registered once for the process.
    pub metrics: AssignedIdentityMetrics,
    /// What others may ask.
    pub assignment_view: AssignmentView,
}

impl fmt::Debug for AssignedIdentityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssignedIdentityContext")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Settings of the controller of AzureAssignedIdentities.
#[derive(Clone, Debug)]
pub struct AssignedIdentitySettings {
    /// Namespace of the operator, where it records what it has put on VMs and scale sets.
    pub namespace: String,
    /// Which namespaces a binding selects pods in (`--force-namespaced`), which AzureIdentities that were written by hand
    /// are served (`--legacy-identities`), and what is asked of their pods (`--legacy-net-raw`).
    pub rules: ServingRules,
    /// How often each VM or scale set is compared with what it should have, when nothing changes.
    pub interval: Duration,
    /// How long changes of one VM or scale set are collected before they go out together.
    pub window: Duration,
    /// Identities that are never taken off a VM or scale set, whoever put them there.
    pub immutable: BTreeSet<ArmId>,
}

impl AssignedIdentitySettings {
    /// Time between two comparisons of a VM or scale set that nothing happens to. A read costs little:
    /// Azure allows 25 a second.
    pub const INTERVAL: Duration = Duration::from_secs(180);
    /// Long enough for the pods of one rollout, too short to be felt beside a change in Azure.
    pub const WINDOW: Duration = Duration::from_millis(250);
}
