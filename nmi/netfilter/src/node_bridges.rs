//! The addresses and MACs of the node itself on its bridges. A bridge without a MAC of its own takes
//! the lowest of its ports', so both can change while the daemon runs.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use nlink::netlink::messages::{LinkMessage, NeighborMessage};
use nlink::netlink::types::neigh::NeighborState;
use nlink::netlink::{Connection, NetworkEvent, Route, RtnetlinkGroup};

use crate::announcements::until_of_note;
use crate::error::RulesError;

/// The addresses and MACs of all bridges of the node, which no port may use as a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BridgeAddresses {
    pub(crate) addresses: BTreeSet<Ipv4Addr>,
    pub(crate) macs: BTreeSet<[u8; 6]>,
}

impl BridgeAddresses {
    /// Reads the bridges of the connection's network namespace.
    pub(crate) async fn read(kernel: &Connection<Route>) -> nlink::Result<Self> {
        let links = kernel.get_links().await?;
        let bridges = || links.iter().filter(|link| is_bridge(link));
        let indexes: BTreeSet<u32> = bridges().map(LinkMessage::ifindex).collect();
        let macs = bridges().filter_map(|link| link.address()?.try_into().ok());
        let addresses = kernel.get_addresses().await?;
        let own = addresses
            .iter()
            .filter(|address| indexes.contains(&address.ifindex()));
        Ok(Self {
            addresses: own
                .filter_map(|address| match address.primary_address() {
                    Some(IpAddr::V4(address)) => Some(*address),
                    _ => None,
                })
                .collect(),
            macs: macs.collect(),
        })
    }
}

fn is_bridge(link: &LinkMessage) -> bool {
    link.kind() == Some("bridge")
}

/// Reports that the addresses or MACs of the node on its bridges may have changed, or that a pod's
/// neighbour or forwarding entry may be gone. The kernel drops the neighbour entries of a bridge whose MAC
/// changes, and announces the new MAC before it does so.
pub struct BridgeMonitor {
    kernel: Connection<Route>,
}

impl fmt::Debug for BridgeMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BridgeMonitor")
    }
}

impl BridgeMonitor {
    /// Listens in the namespace this process runs in.
    ///
    /// # Errors
    /// When the kernel's announcements cannot be subscribed to.
    pub fn here() -> Result<Self, RulesError> {
        let listen = RulesError::from_kernel;
        let kernel = Connection::<Route>::new().map_err(listen("open a netlink socket"))?;
        kernel
            .subscribe(&[
                RtnetlinkGroup::Link,
                RtnetlinkGroup::Ipv4Addr,
                RtnetlinkGroup::Neigh,
            ])
            .map_err(listen(
                "announce changes of links, addresses and neighbours",
            ))?;
        Ok(Self { kernel })
    }

    /// Returns once a bridge or an address of the node has changed or a permanent entry is gone, or when
    /// announcements may have been lost; converge then, which reads them anew.
    pub async fn changed(&self) {
        let mut events = self.kernel.events().await;
        until_of_note(&mut events, |event| concerns_bridges(&event)).await;
    }
}

/// Whether after it a bridge or an address of the node may be another, or a permanent entry gone.
fn concerns_bridges(event: &NetworkEvent) -> bool {
    match event {
        NetworkEvent::NewLink(link) | NetworkEvent::DelLink(link) => is_bridge(link),
        NetworkEvent::NewAddress(_) | NetworkEvent::DelAddress(_) => true,
        NetworkEvent::DelNeighbor(entry) => was_permanent(entry),
        NetworkEvent::DelFdb(entry) => entry.is_static(),
        _ => false,
    }
}

/// Whether a deleted entry may have been permanent. The kernel announces one that is in use at that moment
/// as `NOARP`.
fn was_permanent(entry: &NeighborMessage) -> bool {
    entry.is_permanent() || entry.state() == NeighborState::Noarp
}
