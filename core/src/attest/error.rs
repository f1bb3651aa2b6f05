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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_found_and_which_address_it_is_about() {
        let claimed = Ipv4Addr::new(10, 244, 0, 2);
        let found = Mac([2, 0, 0, 0, 0, 10]);
        let first = Mac([2, 0, 0, 0, 0, 1]);
        let table: [(AttestationError, &[&str]); 7] = [
            (AttestationError::NoProcess, &["no process of the pod"]),
            (AttestationError::NoLink, &["no link leads from"]),
            (
                AttestationError::Address {
                    claimed,
                    found: vec![Ipv4Addr::LOCALHOST],
                },
                &["the pod has address 10.244.0.2 ", "[127.0.0.1]"],
            ),
            (
                AttestationError::SeveralLinks { claimed },
                &["several links", "10.244.0.2"],
            ),
            (
                AttestationError::ChangedMac { first, found },
                &["02:00:00:00:00:01 when", "has 02:00:00:00:00:0a now"],
            ),
            (
                AttestationError::SharedMac { mac: found },
                &["02:00:00:00:00:0a", "another pod"],
            ),
            (
                AttestationError::MacOfTheNode { mac: found },
                &["02:00:00:00:00:0a", "the node's own"],
            ),
        ];
        for (error, parts) in table {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
