//! All nodes together.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use podid_core::node_guard::NodeSummary;
use tokio::sync::watch;

use super::context::NodeGuardContext;
use super::observe::node_facts;

/// How long changes are collected before the nodes are counted: counting looks at all of them, and each
/// count that differs is written to every class.
const WINDOW: Duration = Duration::from_secs(1);

/// Publishes how all nodes are, after every change, while this replica leads. It does not end.
pub(super) async fn publish(
    context: Arc<NodeGuardContext>,
    nodes: Store<Node>,
    summary: watch::Sender<Option<NodeSummary>>,
) {
    loop {
        context.changed.notified().await;
        tokio::time::sleep(WINDOW).await;
        if !context.leadership.is_held() {
            continue;
        }
        let Some(now) = summarize(&context, &nodes) else {
            continue;
        };
        context.metrics.summarized(&now);
        summary.send_if_modified(|published| {
            let is_new = published.as_ref() != Some(&now);
            *published = Some(now);
            is_new
        });
    }
}

/// `None` while the daemons are not known.
fn summarize(context: &NodeGuardContext, nodes: &Store<Node>) -> Option<NodeSummary> {
    let mut summary = NodeSummary {
        has_daemon_set: context.daemons.has_daemon_set()?,
        ..NodeSummary::default()
    };
    let mut nodes = nodes.state();
    nodes.sort_by_cached_key(|node| node.name_any());
    for node in nodes {
        if let Some(decision) = context.decide(&node) {
            let has_taint = node_facts(&node).has_taint;
            summary.add(&node.name_any(), decision.guard, has_taint);
        }
    }
    Some(summary)
}
