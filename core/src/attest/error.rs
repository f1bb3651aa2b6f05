//! Why a pod is not attested, with the text of its Event.

use std::fmt;
use std::net::Ipv4Addr;

use super::Mac;

/// How the two facts about a pod disagree. The pod gets no token while they do, and it is checked
/// again after a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationError {
    /// No process of the pod runs on this node (yet).
    NoProcess,
    /// No link leads from the pod's processes to this node (yet).
    NoLink,
    /// The API server's address is on none of the pod's links.
    Address {
        /// The API server's address.
        claimed: Ipv4Addr,
        /// The addresses on the pod's links.
        found: Vec<Ipv4Addr>,
    },
    /// More than one link of the pod has the address.
    SeveralLinks {
        /// The API server's address.
        claimed: Ipv4Addr,
    },
    /// The pod's MAC is not the one that it had when it was first attested behind its bridge port.
    ChangedMac {
        /// MAC at the first attestation.
        first: Mac,
        /// MAC now.
        found: Mac,
    },
    /// Another pod of this node has the same MAC.
    SharedMac {
        /// MAC of both.
        mac: Mac,
    },
    /// A link of the node itself has the same MAC.
    MacOfTheNode {
        /// MAC of both.
        mac: Mac,
    },
}

impl AttestationError {
    /// Whether every pod passes through this state while it starts. Then no person needs to act.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        matches!(self, Self::NoProcess | Self::NoLink)
    }
}

impl fmt::Display for AttestationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => f.write_str("no process of the pod is on this node"),
            Self::NoLink => f.write_str("no link leads from the pod's processes to this node"),
            Self::Address { claimed, found } => write!(
                f,
                "the pod has address {claimed} in the API server and {found:?} in the kernel"
            ),
            Self::SeveralLinks { claimed } => {
                write!(f, "several links of the pod have its address {claimed}")
            }
            Self::ChangedMac { first, found } => write!(
                f,
                "the pod's link had the hardware address {first} when it was first seen, and has {found} now"
            ),
            Self::SharedMac { mac } => write!(
                f,
                "the pod's link has the hardware address {mac}, which another pod of this node has too"
            ),
            Self::MacOfTheNode { mac } => write!(
                f,
                "the pod's link has the hardware address {mac}, which is one of the node's own"
            ),
        }
    }
}
