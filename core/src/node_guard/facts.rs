//! What is known of a node and of its daemon.

use std::fmt;

use serde::Serialize;

/// A node, as its object says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct NodeFacts {
    /// `status.nodeInfo.bootID`: another one after each start of the node; empty until its kubelet has
    /// reported.
    pub boot_id: String,
    /// Whether it has a taint with the key [`TAINT_KEY`](super::TAINT_KEY), whatever its effect.
    pub has_taint: bool,
    /// The daemon that was ready there last.
    pub last_ready: Option<ReadyDaemon>,
}

/// A pod of the node daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaemonPod {
    /// Id of its container, as `containerd://…`; empty before it has one. A container has another id after
    /// each restart, and so after each start of its node.
    pub container: String,
    /// Whether its condition `Ready` is true.
    pub is_ready: bool,
}

/// A daemon that was ready on a node. It is kept on the node itself: an operator that has just started
/// must know whether the node has restarted since.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ReadyDaemon {
    /// The node's [`NodeFacts::boot_id`] at that time.
    pub boot_id: String,
    /// The daemon's [`DaemonPod::container`].
    pub container: String,
}

impl ReadyDaemon {
    /// Reads what [`Display`](fmt::Display) prints; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (boot_id, container) = text.split_once(' ')?;
        Some(Self {
            boot_id: boot_id.to_owned(),
            container: container.to_owned(),
        })
    }
}

/// Boot id and container id, with a space between.
impl fmt::Display for ReadyDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.boot_id, self.container)
    }
}
