//! All nodes together, for the status of classes.

use super::TAINT_KEY;
use super::decide::{NodeGuard, UnguardedReason};
use crate::condition::{ConditionStatus, SubCondition};

/// Type of the condition of a class that says whether all nodes are guarded.
pub const NODES_GUARDED: &str = "NodesGuarded";

/// How many nodes a message names.
const NAMED: usize = 3;

/// The nodes on which the daemon is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSummary {
    /// How many there are.
    pub total: usize,
    /// Those that are not guarded, by name.
    pub unguarded: Vec<UnguardedNode>,
    /// Whether there is a DaemonSet of the daemon; without it podid knows of no node that it should be
    /// there.
    pub has_daemon_set: bool,
}

/// A node that is not guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnguardedNode {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: UnguardedReason,
    /// Whether the taint keeps pods from being placed there.
    pub has_taint: bool,
}

impl NodeSummary {
    /// Counts a node. Nodes are to be given in the order of their names.
    pub fn add(&mut self, name: &str, guard: NodeGuard, has_taint: bool) {
        self.total += 1;
        if let NodeGuard::Unguarded(reason) = guard {
            self.unguarded.push(UnguardedNode {
                name: name.to_owned(),
                reason,
                has_taint,
            });
        }
    }

    /// The condition [`NODES_GUARDED`]; `None` stands for nodes that are not known yet. It is no part of
    /// `Ready`: a node that is broken for long must not hold up what was committed for the whole cluster.
    #[must_use]
    pub fn condition(summary: Option<&Self>) -> SubCondition {
        let (status, reason, message) = match summary {
            None => (
                ConditionStatus::Unknown,
                "Pending",
                "podid has not looked at all nodes yet".to_owned(),
            ),
            Some(summary) if !summary.has_daemon_set => (
                ConditionStatus::Unknown,
                "NoDaemonSet",
                "podid cannot tell which nodes are guarded: there is no DaemonSet of its node daemon \
                 in its namespace"
                    .to_owned(),
            ),
            Some(summary) if summary.unguarded.is_empty() => (
                ConditionStatus::True,
                "NodesGuarded",
                "the rules of podid are on every node that its DaemonSet selects".to_owned(),
            ),
            Some(summary) => (
                ConditionStatus::False,
                "NodesUnguarded",
                summary.unguarded_message(),
            ),
        };
        SubCondition {
            kind: NODES_GUARDED,
            status,
            reason: reason.to_owned(),
            message,
        }
    }

    fn unguarded_message(&self) -> String {
        let named = self.unguarded.iter().take(NAMED);
        let named: Vec<String> = named.map(ToString::to_string).collect();
        let more = match self.unguarded.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" | and {more} more"),
        };
        let named = named.join(" | ");
        format!("the rules of podid may be missing on nodes: {named}{more}")
    }
}

/// The node, what is wrong with it, and whether pods come to it.
impl std::fmt::Display for UnguardedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, reason, .. } = self;
        match self.has_taint {
            true => write!(f, "{name}: {reason}; its taint {TAINT_KEY} keeps pods off"),
            false => write!(
                f,
                "{name}: {reason}; it has no taint {TAINT_KEY}, so that pods placed there may reach \
                 the node's own identities"
            ),
        }
    }
}
