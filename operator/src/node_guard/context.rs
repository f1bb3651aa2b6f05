//! What the controller works with.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use podid_core::node_guard::{NodeDecision, NodeTaintSettings, decide};
use podid_index::events::EventWriter;
use tokio::sync::Notify;

use super::daemons::Daemons;
use super::metrics::NodeGuardMetrics;
use super::observe;
use crate::leader::Leadership;

/// What the controller of node taints works with.
#[derive(Clone)]
pub struct NodeGuardContext {
    /// Client of the API server.
    pub client: Client,
    /// Whether this replica may write.
    pub leadership: Leadership,
    /// Where Events go.
    pub events: EventWriter,
    /// Counters.
    pub metrics: NodeGuardMetrics,
    /// Namespace of the node daemon.
    pub namespace: String,
    /// How nodes are tainted.
    pub settings: NodeTaintSettings,
    /// The daemons that are known.
    pub daemons: Daemons,
    /// That something may be different about a node.
    pub changed: Arc<Notify>,
}

impl fmt::Debug for NodeGuardContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeGuardContext")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl NodeGuardContext {
    /// What to do about a node; `None` where no daemon is to run, or while the daemons are not known.
    pub(super) fn decide(&self, node: &Node) -> Option<NodeDecision> {
        let facts = observe::node_facts(node);
        let seen = self.daemons.on(node)?;
        Some(decide(&facts, &seen.pods, seen.away, self.settings))
    }
}
