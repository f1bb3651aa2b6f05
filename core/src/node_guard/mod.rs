//! Which nodes are guarded: podid's rules are there, so that no pod reaches the node's own metadata service.
//! A node that is not gets a taint, so that no pod is placed there meanwhile.
//!
//! The operator does not see the rules of a node. It goes by what only a daemon with rules can be: ready,
//! since the node last started. The rules stay when a daemon ends, so a node remains guarded for a while
//! without one, but not across a restart of the node.
//!
//! | file | holds |
//! |---|---|
//! | `facts` | what is known of a node and of its daemon |
//! | `decide` | whether the node is guarded, and what to change on it |
//! | `summary` | all nodes together, for the status of classes |

mod decide;
mod facts;
mod summary;

pub use decide::{NodeChange, NodeDecision, NodeGuard, NodeTaintSettings, UnguardedReason, decide};
pub use facts::{DaemonPod, NodeFacts, ReadyDaemon};
pub use summary::{NODES_GUARDED, NodeSummary, UnguardedNode};

/// Key of the taint on a node that is not guarded. Whoever registers nodes may put it on with any effect;
/// podid puts it on with `NoSchedule`.
pub const TAINT_KEY: &str = "podid.dev/not-ready";

/// Annotation of a node: the daemon that was ready there last, as [`ReadyDaemon`] prints it.
pub const READY_DAEMON_ANNOTATION: &str = "podid.dev/ready-daemon";

#[cfg(test)]
mod tests;
