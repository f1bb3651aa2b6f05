//! Whether a node is guarded, and what to change on it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::facts::{DaemonPod, NodeFacts, ReadyDaemon};

/// How nodes are tainted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTaintSettings {
    /// Whether podid puts the taint on. It takes it off in any case.
    pub puts_on: bool,
    /// How long a node whose daemon was ready since the node's start may be without a ready daemon before it
    /// counts as unguarded.
    pub delay: Duration,
}

/// Whether podid's rules are on a node, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum NodeGuard {
    /// They are.
    Guarded,
    /// They may be missing.
    Unguarded(UnguardedReason),
}

/// Why the rules of a node may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum UnguardedReason {
    /// No daemon was ever ready on it.
    NeverReady,
    /// No daemon was ready since it restarted. The rules went with the restart.
    Restarted,
    /// Its daemon was ready since it started, and has not been for longer than the delay. The rules may
    /// have been taken away meanwhile, and nobody would put them back.
    NotReady,
    /// As [`Self::NotReady`], and there is no pod of the daemon.
    Absent,
}

/// What to do about a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeDecision {
    /// Whether the node is guarded.
    pub guard: NodeGuard,
    /// What to change on it, at once.
    pub change: Option<NodeChange>,
    /// After which time to decide again, if nothing changes before.
    pub look_again: Option<Duration>,
}

/// A change of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum NodeChange {
    /// Put the taint on.
    AddTaint(UnguardedReason),
    /// Take the taint off, and write down which daemon is ready.
    RemoveTaint(ReadyDaemon),
    /// Write down which daemon is ready.
    Record(ReadyDaemon),
}

/// Decides about a node on which the daemon is to run, from the pods of the daemon on it. `away` is how long
/// it has been known that none of them is ready.
#[must_use]
pub fn decide(
    node: &NodeFacts,
    daemons: &[DaemonPod],
    away: Duration,
    settings: NodeTaintSettings,
) -> NodeDecision {
    if let Some(ready) = ready_daemon(node, daemons) {
        return guarded_by(node, ready);
    }
    let reason = match &node.last_ready {
        None => UnguardedReason::NeverReady,
        Some(last) if has_restarted(node, last) => UnguardedReason::Restarted,
        // A taint that is there stays until a daemon is ready. Otherwise a new leader, which does not know
        // how long the daemon has been away, would say that the node is guarded.
        Some(_) if !node.has_taint && away < settings.delay => {
            return NodeDecision {
                guard: NodeGuard::Guarded,
                change: None,
                look_again: Some(settings.delay - away),
            };
        }
        Some(_) if daemons.is_empty() => UnguardedReason::Absent,
        Some(_) => UnguardedReason::NotReady,
    };
    let adds = settings.puts_on && !node.has_taint;
    NodeDecision {
        guard: NodeGuard::Unguarded(reason),
        change: adds.then_some(NodeChange::AddTaint(reason)),
        look_again: None,
    }
}

fn guarded_by(node: &NodeFacts, ready: ReadyDaemon) -> NodeDecision {
    let change = match node.has_taint {
        true => Some(NodeChange::RemoveTaint(ready)),
        false if node.last_ready.as_ref() != Some(&ready) => Some(NodeChange::Record(ready)),
        false => None,
    };
    NodeDecision {
        guard: NodeGuard::Guarded,
        change,
        look_again: None,
    }
}

/// A daemon that has become ready since the node started; the one that is written down already if it still
/// is ready, so that two daemons during an update do not take turns.
fn ready_daemon(node: &NodeFacts, daemons: &[DaemonPod]) -> Option<ReadyDaemon> {
    let ready = daemons.iter().filter(|daemon| daemon.is_ready);
    let candidates: Vec<ReadyDaemon> = ready
        .map(|daemon| ReadyDaemon {
            boot_id: node.boot_id.clone(),
            container: daemon.container.clone(),
        })
        .filter(|candidate| !is_of_before(node, candidate))
        .collect();
    let is_last = |candidate: &&ReadyDaemon| node.last_ready.as_ref() == Some(*candidate);
    let last = candidates.iter().find(is_last);
    last.or(candidates.first()).cloned()
}

/// Whether this container was ready before the node restarted. Its pod is `Ready` in the API server until the
/// kubelet reports after the restart, and it does not run any more.
fn is_of_before(node: &NodeFacts, candidate: &ReadyDaemon) -> bool {
    let last = node.last_ready.as_ref();
    last.is_some_and(|last| has_restarted(node, last) && last.container == candidate.container)
}

/// Whether the node has restarted since this daemon was ready; not if one of the two ids is unknown.
fn has_restarted(node: &NodeFacts, last: &ReadyDaemon) -> bool {
    let known = !node.boot_id.is_empty() && !last.boot_id.is_empty();
    known && node.boot_id != last.boot_id
}

/// As the end of a sentence that begins with the node.
impl fmt::Display for UnguardedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverReady => "its podid daemon has not been ready yet",
            Self::Restarted => "it restarted, and its podid daemon has not been ready since",
            Self::NotReady => "its podid daemon is not ready any more",
            Self::Absent => "its podid daemon is gone",
        })
    }
}
