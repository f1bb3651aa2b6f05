//! What the class controller works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::Store;
use podid_azure::{RoleAssignments, Subscriptions};
use podid_core::class::OperatorEnvironment;
use podid_core::node_guard::NodeSummary;
use podid_core::policy::ShippedPolicy;
use podid_crds::podid::PodIdentityProfile;
use podid_index::events::EventWriter;
use tokio::sync::watch;

use super::schedule::Schedule;
use crate::leader::Leadership;
use crate::metrics::ControllerMetrics;
use crate::retry::Retries;

/// What the class controller works with.
#[derive(Clone)]
pub struct ClassContext {
    /// Client of the API server.
    pub client: Client,
    /// Subscriptions and resource groups.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// Role definitions.
    pub roles: Arc<dyn RoleAssignments>,
    /// What the operator itself can serve.
    pub operator: OperatorEnvironment,
    /// All profiles.
    pub profiles: Store<PodIdentityProfile>,
    /// All namespaces, for their labels.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
    /// Namespace of the operator.
    pub namespace: String,
    /// The admission policies that this installation should have.
    pub policies: Vec<ShippedPolicy>,
    /// How the nodes are; `None` until that is known.
    pub nodes: watch::Receiver<Option<NodeSummary>>,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Where Events go.
    pub events: EventWriter,
    /// Counters.
    pub metrics: ControllerMetrics,
    /// How often a class is compared with Azure.
    pub interval: Duration,
    /// When each class is compared next.
    pub schedule: Schedule,
    /// How often in a row Azure did not say enough about each class.
    pub retries: Retries,
}

impl fmt::Debug for ClassContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassContext")
            .field("operator", &self.operator)
            .finish_non_exhaustive()
    }
}
