//! Which pod is behind an interface: two facts that must agree.
//!
//! - The API server's: this pod uid has these addresses on this node.
//! - The kernel's: the network namespace in which processes of that uid's cgroup live has these
//!   addresses, on a link whose other end is this interface of the node.
//!
//! Neither is enough alone: an address can be claimed by a neighbour, and a namespace has no name
//! the API server knows.
//!
//! What a pod's own end of its link says may be changed by the pod. So its MAC counts once, when the
//! pod is first proved behind a port of a bridge, and must be nobody else's (`macs`).
//!
//! A proof holds as long as the node's end of the link is what it was (`links`).

mod cgroup;
mod kernel;
mod links;
mod macs;
mod node;
mod proofs;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

pub use cgroup::pod_uid;
pub use kernel::{KernelError, look};
pub(crate) use links::{KernelLinks, LinkMonitor, LinkNews, Links, ProvedLink};
pub(crate) use macs::{Mac, Macs};
pub use node::{NodeLink, Peer};
use podid_netfilter::{BridgePort, Caller};
pub(crate) use proofs::Proofs;

/// What the API server says of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The pod's uid.
    pub uid: String,
    /// Its IPv4 addresses. Others cannot call the metadata service, which has an IPv4 address only.
    pub addresses: Vec<Ipv4Addr>,
}

/// What the kernel says of a pod: one link between a namespace of its processes and the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Index of the interface on which the node's inet family sees the pod.
    pub interface: u32,
    /// The pod's port, when that interface is a bridge.
    pub port: Option<BridgePort>,
    /// Addresses on the pod's end.
    pub addresses: Vec<Ipv4Addr>,
}

/// All that one look at the kernel has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What was looked for: pods by uid, with their links. Pods without a process are left out.
    pub pods: BTreeMap<String, Vec<Attachment>>,
    /// The node's own links, by index.
    pub node: BTreeMap<u32, NodeLink>,
}

/// Why a pod is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// No process of the pod runs on this node (yet).
    NoProcess,
    /// No link leads from the pod's processes to this node (yet).
    NoLink,
    /// The API server's address is not on any of the pod's links.
    Address {
        /// The API server's.
        claimed: Ipv4Addr,
        /// The kernel's.
        found: Vec<Ipv4Addr>,
    },
    /// More than one link has the address.
    SeveralLinks {
        /// The address.
        claimed: Ipv4Addr,
    },
    /// The MAC of the pod's link is not the one it had when the pod was first proved.
    ChangedMac {
        /// The first.
        first: Mac,
        /// The kernel's word now.
        found: Mac,
    },
    /// Another pod has the MAC.
    SharedMac {
        /// The MAC.
        mac: Mac,
    },
    /// The node itself has the MAC.
    MacOfTheNode {
        /// The MAC.
        mac: Mac,
    },
}

impl Disagreement {
    /// Whether it is a pod's ordinary start, rather than something a person should see.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        matches!(self, Self::NoProcess | Self::NoLink)
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => f.write_str("no process of the pod is on this node"),
            Self::NoLink => f.write_str(
                "no link leads from the pod's processes to this node; unless it is still being made, \
                 somebody has taken it away: delete the pod, so that it is made anew",
            ),
            Self::Address { claimed, found } => write!(
                f,
                "the API server says the pod has {claimed}, the kernel says it has {found:?}"
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

/// Compares the two facts about one pod. `seen` is `None` when it has no process here.
///
/// # Errors
/// When they do not agree on every address.
pub fn agree(claim: &Claim, seen: Option<&[Attachment]>) -> Result<Vec<Caller>, Disagreement> {
    let seen = seen.ok_or(Disagreement::NoProcess)?;
    if seen.is_empty() {
        return Err(Disagreement::NoLink);
    }
    claim
        .addresses
        .iter()
        .map(|address| caller(*address, seen))
        .collect()
}

fn caller(claimed: Ipv4Addr, seen: &[Attachment]) -> Result<Caller, Disagreement> {
    let mut having = seen.iter().filter(|link| link.addresses.contains(&claimed));
    match (having.next(), having.next()) {
        (Some(link), None) => Ok(Caller {
            interface: link.interface,
            address: claimed,
            port: link.port,
        }),
        (None, _) => {
            let found = seen
                .iter()
                .flat_map(|link| link.addresses.clone())
                .collect();
            Err(Disagreement::Address { claimed, found })
        }
        (Some(_), Some(_)) => Err(Disagreement::SeveralLinks { claimed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

    fn link(interface: u32, addresses: &[Ipv4Addr]) -> Attachment {
        Attachment {
            interface,
            port: None,
            addresses: addresses.to_vec(),
        }
    }

    fn claim(addresses: &[Ipv4Addr]) -> Claim {
        Claim {
            uid: "u".into(),
            addresses: addresses.to_vec(),
        }
    }

    #[test]
    fn both_facts_together_make_a_caller() {
        let callers = agree(&claim(&[A]), Some(&[link(7, &[A])])).unwrap();
        assert_eq!(
            callers,
            [Caller {
                interface: 7,
                address: A,
                port: None
            }]
        );
    }

    #[test]
    fn an_address_the_pod_gave_itself_does_not_count() {
        let callers = agree(&claim(&[A]), Some(&[link(7, &[A, B])])).unwrap();
        assert_eq!(
            callers,
            [Caller {
                interface: 7,
                address: A,
                port: None
            }]
        );
    }

    #[test]
    fn every_way_to_disagree() {
        let table: [(Option<&[Attachment]>, Disagreement); 4] = [
            (None, Disagreement::NoProcess),
            (Some(&[]), Disagreement::NoLink),
            (
                Some(&[link(7, &[B])]),
                Disagreement::Address {
                    claimed: A,
                    found: vec![B],
                },
            ),
            (
                Some(&[link(7, &[A]), link(8, &[A])]),
                Disagreement::SeveralLinks { claimed: A },
            ),
        ];
        for (seen, expected) in table {
            assert_eq!(agree(&claim(&[A]), seen), Err(expected));
        }
    }

    #[test]
    fn one_wrong_address_of_two_is_a_disagreement() {
        assert!(agree(&claim(&[A, B]), Some(&[link(7, &[A])])).is_err());
    }
}
