//! The two facts that are compared, as plain values: a pod in the API server, and network namespaces and
//! links in the node's kernel.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use crate::binding::Unserved;
use crate::resolve::CallingPod;

/// A hardware (Ethernet) address, shown as `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A pod as the API server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `metadata.uid` of the pod.
    pub uid: String,
    /// The IPv4 addresses in its status. Callers with other addresses cannot exist: the metadata
    /// service has an IPv4 address only.
    pub addresses: Vec<Ipv4Addr>,
}

impl Claim {
    /// What is to be attested about a pod with these addresses; `None` while or when there is nothing to
    /// attest: it has no address yet, shares the node's network, or has ended, so that its address may be
    /// another pod's.
    #[must_use]
    pub fn of(pod: &CallingPod, addresses: &[Ipv4Addr]) -> Option<Self> {
        let on_node = pod.pod.unserved == Some(Unserved::HostNetwork);
        let can_be_attested = !on_node && !pod.completed && !addresses.is_empty();
        can_be_attested.then(|| Self {
            uid: pod.pod.uid.clone(),
            addresses: addresses.to_vec(),
        })
    }
}

/// One link of a pod as the kernel has it, between a network namespace of its processes and the
/// node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLink {
    /// Index of the node's interface on which IP packets of the pod arrive: the node's end of the
    /// link, or the bridge that this end is a port of.
    pub interface: u32,
    /// The pod's port, when `interface` is a bridge.
    pub bridge_port: Option<BridgePort>,
    /// IPv4 addresses on the pod's end.
    pub addresses: Vec<Ipv4Addr>,
}

/// A pod's port of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgePort {
    /// Index of the port's interface on the node.
    pub interface: u32,
    /// MAC of the pod's end, as the pod's own network namespace shows it.
    pub mac: Mac,
}

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPeer {
    /// Its interface index, in its own namespace.
    pub index: u32,
    /// The node's number (nsid) for that namespace.
    pub namespace: u32,
}

/// A link as the node's own network namespace shows it. A pod without rights on the node cannot
/// change any of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLink {
    /// Its other end, when that is in another network namespace.
    pub peer: Option<LinkPeer>,
    /// Index of the bridge that it is a port of.
    pub bridge: Option<u32>,
    /// MAC of the node's end.
    pub mac: Option<Mac>,
}

impl NodeLink {
    /// Whether both lead from the same bridge, if any, to the same other end. The MAC of the node's
    /// end does not count: it says nothing about which pod is at the other end.
    #[must_use]
    pub fn connects_like(&self, other: &Self) -> bool {
        (self.peer, self.bridge) == (other.peer, other.bridge)
    }
}

/// The node's end of an attested pod's link, as it was when the pod was attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedLink {
    /// Its interface index on the node.
    pub index: u32,
    /// Its properties at that time.
    pub was: NodeLink,
}

impl ProvedLink {
    /// Whether the link that has the index now (`None`: no link has) is still the same.
    #[must_use]
    pub fn is_unchanged(&self, now: Option<&NodeLink>) -> bool {
        now.is_some_and(|now| now.connects_like(&self.was))
    }
}

/// A change of the node's links, as the kernel announces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// The link with this index has changed; this is what it is now, `None` when it is gone.
    Changed(u32, Option<NodeLink>),
    /// Announcements may have been lost, so any link may have changed.
    Lost,
}

/// The result of reading the kernel once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// Those of the requested pods that have processes on this node, by uid, with their links.
    pub pods: BTreeMap<String, Vec<PodLink>>,
    /// The node's own links, by interface index.
    pub links: BTreeMap<u32, NodeLink>,
}

/// An address of a pod, and the interface at which the pod is. IP packets that arrive there with that
/// source address are the pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodEndpoint {
    /// Index of the node's interface on which IP packets of the pod arrive.
    pub interface: u32,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// The pod's port, when `interface` is a bridge.
    pub bridge_port: Option<BridgePort>,
}

impl PodEndpoint {
    /// Index of the node's end of the pod's link: the bridge port, or else the interface itself.
    #[must_use]
    pub fn link_index(&self) -> u32 {
        self.bridge_port
            .map_or(self.interface, |port| port.interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::Pod;
    use crate::testing::pod;

    #[test]
    fn a_proved_link_is_unchanged_while_it_leads_from_the_same_bridge_to_the_same_end() {
        let was = NodeLink {
            bridge: Some(3),
            ..NodeLink::default()
        };
        let proved = ProvedLink {
            index: 7,
            was: was.clone(),
        };
        let other_mac = NodeLink {
            mac: Some(Mac([2; 6])),
            ..was.clone()
        };
        assert!(proved.is_unchanged(Some(&was)) && proved.is_unchanged(Some(&other_mac)));
        assert!(!proved.is_unchanged(Some(&NodeLink::default())));
        assert!(!proved.is_unchanged(None));
    }

    #[test]
    fn a_pod_is_attested_while_its_address_is_its_own() {
        let here = [Ipv4Addr::new(10, 0, 0, 2)];
        let table = [
            (false, false, &here[..], true),
            (false, false, &[], false),
            (true, false, &here, false),
            (false, true, &here, false),
        ];
        for (host_network, completed, addresses, attested) in table {
            let unserved = host_network.then_some(Unserved::HostNetwork);
            let caller = CallingPod {
                pod: Pod { unserved, ..pod() },
                labels: BTreeMap::new(),
                completed,
            };
            let claim = attested.then(|| Claim {
                uid: "u1".into(),
                addresses: addresses.to_vec(),
            });
            assert_eq!(Claim::of(&caller, addresses), claim, "{caller:?}");
        }
    }
}
