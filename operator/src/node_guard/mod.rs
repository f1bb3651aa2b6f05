//! The controller of node taints: keeps pods off nodes on which podid's rules may be missing, and tells which
//! nodes those are.
//!
//! ```text
//! watches of nodes, daemon pods, the DaemonSet ─► core::node_guard::decide ─┬─► patch of the node, Event
//!                                                                           └─► summary ─► status of classes
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `context` | what it works with, and the decision about one node |
//! | `observe` | from nodes, pods and DaemonSets to what is decided on |
//! | `daemons` | the daemons that are known, by node, and since when a node is without one |
//! | `trigger` | which change concerns which node |
//! | `reconcile` | one node: decide, patch, tell |
//! | `patch` | a change of a node, as a patch that loses no other taint |
//! | `summary` | all nodes together |

mod context;
mod daemons;
mod metrics;
mod observe;
mod patch;
mod reconcile;
mod summary;
mod trigger;

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::controller::{self, Controller};
use podid_core::node_guard::NodeSummary;
use podid_index::watch::Watch;
use podid_runtime::{BoxError, Drain};
use tokio::sync::watch;

pub use self::context::NodeGuardContext;
pub use self::daemons::Daemons;
pub use self::metrics::NodeGuardMetrics;
pub use self::observe::reduce;

/// How many nodes are worked on at once.
const CONCURRENCY: u16 = 8;

/// Runs until `drain`, and publishes in `summary` how all nodes are. It may run on every replica: one that
/// does not lead only keeps what it knows.
///
/// # Errors
/// A watch has ended.
pub async fn run(
    context: NodeGuardContext,
    nodes: Watch<Node>,
    summary: watch::Sender<Option<NodeSummary>>,
    drain: Drain,
) -> Result<(), BoxError> {
    if !nodes.seen(&drain).await? {
        return Ok(());
    }
    let context = Arc::new(context);
    let store = nodes.store();
    let publish = summary::publish(Arc::clone(&context), store.clone(), summary);
    let controller = Controller::for_stream(trigger::nodes(&nodes, &context), store.clone())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(trigger::daemons(&context, store))
        .reconcile_all_on(context.leadership.gained_once())
        .graceful_shutdown_on(async move { drain.draining().await })
        .run(reconcile::reconcile, reconcile::after_error, context)
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => Ok(()),
        () = publish => Ok(()),
    }
}

#[cfg(test)]
mod tests;
