//! What is counted about nodes. All label sets are closed.

use podid_core::node_guard::NodeSummary;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of the controller of node taints. Clones share one state.
#[derive(Clone, Debug)]
pub struct NodeGuardMetrics {
    nodes: Family<NodeLabels, Gauge>,
    changes: Family<ChangeLabels, Counter>,
}

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum TaintChange {
    Added,
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum NodeState {
    Guarded,
    /// Unguarded, and the taint keeps pods off.
    Tainted,
    /// Unguarded and without the taint.
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    state: NodeState,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    change: TaintChange,
}

impl NodeGuardMetrics {
    /// Registers the metrics; once a process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            nodes: Family::default(),
            changes: Family::default(),
        };
        registry.register(
            "nodes",
            "Nodes on which the node daemon is to run, by whether podid's rules are there: Guarded, \
             Tainted (unguarded, and the taint keeps pods off) or Open (unguarded); of the leader only",
            metrics.nodes.clone(),
        );
        registry.register(
            "node_taint_changes",
            "Taints podid.dev/not-ready that were put on nodes or removed",
            metrics.changes.clone(),
        );
        metrics.set(0, 0, 0);
        for change in [TaintChange::Added, TaintChange::Removed] {
            drop(metrics.changes.get_or_create(&ChangeLabels { change }));
        }
        metrics
    }

    pub(super) fn summarized(&self, summary: &NodeSummary) {
        let unguarded = summary.unguarded.len();
        let tainted = summary
            .unguarded
            .iter()
            .filter(|node| node.has_taint)
            .count();
        self.set(summary.total - unguarded, tainted, unguarded - tainted);
    }

    pub(super) fn changed(&self, change: TaintChange) {
        self.changes.get_or_create(&ChangeLabels { change }).inc();
    }

    fn set(&self, guarded: usize, tainted: usize, open: usize) {
        for (state, count) in [
            (NodeState::Guarded, guarded),
            (NodeState::Tainted, tainted),
            (NodeState::Open, open),
        ] {
            let gauge = self.nodes.get_or_create(&NodeLabels { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
