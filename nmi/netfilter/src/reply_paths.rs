//! Where the node sends what is for a pod on a bridge: the neighbour entry that gives the pod's MAC,
//! and the bridge's forwarding entry that gives the port. By default the kernel learns both from
//! the source of the last packet, so podid writes permanent ones for every attested pod.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use nlink::netlink::fdb::FdbEntry;
use nlink::netlink::messages::NeighborMessage;
use nlink::netlink::neigh::{Neighbor, NeighborConfig};
use nlink::netlink::types::neigh::{NdMsg, NdaAttr, ntf, nud};
use nlink::netlink::{Connection, InterfaceRef, MessageBuilder, Route};

use crate::node_bridges::BridgeAddresses;
use crate::source::{AllowedPort, AllowedSource};

/// Address family of a bridge's forwarding entries.
const AF_BRIDGE: u8 = 7;

/// The entries of one network namespace.
pub(crate) struct ReplyPaths {
    kernel: Connection<Route>,
}

/// The two entries that lead to one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ReplyPath {
    bridge: u32,
    address: Ipv4Addr,
    port: AllowedPort,
}

impl ReplyPath {
    fn of(source: &AllowedSource) -> Option<Self> {
        Some(Self {
            bridge: source.interface,
            address: source.address,
            port: source.port?,
        })
    }

    fn neighbor(&self) -> Neighbor {
        Neighbor::with_index_v4(self.bridge, self.address)
            .lladdr(self.port.mac)
            .permanent()
    }
}

/// The entries that the kernel has.
struct Present {
    neighbors: Vec<NeighborMessage>,
    forwarding: Vec<FdbEntry>,
}

impl Present {
    fn has_neighbor(&self, path: &ReplyPath) -> bool {
        self.neighbors.iter().any(|entry| {
            entry.ifindex() == path.bridge
                && entry.destination() == Some(&IpAddr::V4(path.address))
                && entry.lladdr() == Some(&path.port.mac)
                && entry.is_permanent()
        })
    }

    fn has_forwarding(&self, port: &AllowedPort) -> bool {
        self.forwarding.iter().any(|entry| {
            entry.ifindex() == port.interface
                && entry.mac() == port.mac
                && entry.is_static()
                && entry.is_sticky()
        })
    }
}

impl ReplyPaths {
    pub(crate) fn new(kernel: Connection<Route>) -> Self {
        Self { kernel }
    }

    /// The node's own addresses and MACs on its bridges now.
    pub(crate) async fn bridge_addresses(&self) -> nlink::Result<BridgeAddresses> {
        BridgeAddresses::read(&self.kernel).await
    }

    /// Removes the entries of `installed` sources that no `wanted` source needs, and returns how many
    /// that were. An entry that has been changed by others meanwhile is left alone.
    pub(crate) async fn remove_unneeded(
        &self,
        installed: &BTreeSet<AllowedSource>,
        wanted: &BTreeSet<AllowedSource>,
    ) -> nlink::Result<usize> {
        let needed: BTreeSet<ReplyPath> = wanted.iter().filter_map(ReplyPath::of).collect();
        let stale: Vec<ReplyPath> = installed
            .iter()
            .filter_map(ReplyPath::of)
            .filter(|path| !needed.contains(path))
            .collect();
        if stale.is_empty() {
            return Ok(0);
        }
        let present = self.present(&stale).await?;
        let mut changes = 0;
        for path in &stale {
            let port = path.port;
            if present.has_neighbor(path) {
                let removed = self.kernel.del_neighbor_if_exists(path.neighbor()).await?;
                changes += usize::from(removed);
            }
            let shared = needed.iter().any(|other| other.port == port);
            if present.has_forwarding(&port) && !shared {
                let removed = self.kernel.del_neighbor_if_exists(Forwarding::to(port));
                changes += usize::from(removed.await?);
            }
        }
        Ok(changes)
    }

    /// Writes the entries of `wanted` sources that are missing. Returns how many that were, and the
    /// sources for which it failed: a pod's link may have gone away meanwhile.
    pub(crate) async fn write_missing(
        &self,
        wanted: &BTreeSet<AllowedSource>,
    ) -> nlink::Result<(usize, Vec<(AllowedSource, nlink::Error)>)> {
        let paths: Vec<(AllowedSource, ReplyPath)> = wanted
            .iter()
            .filter_map(|source| Some((*source, ReplyPath::of(source)?)))
            .collect();
        if paths.is_empty() {
            return Ok((0, Vec::new()));
        }
        let every: Vec<ReplyPath> = paths.iter().map(|(_, path)| *path).collect();
        let present = self.present(&every).await?;
        let (mut changes, mut failed) = (0, Vec::new());
        for (source, path) in paths {
            match self.write(&path, &present).await {
                Ok(written) => changes += written,
                Err(error) => failed.push((source, error)),
            }
        }
        Ok((changes, failed))
    }

    async fn write(&self, path: &ReplyPath, present: &Present) -> nlink::Result<usize> {
        let mut written = 0;
        if !present.has_forwarding(&path.port) {
            let entry = Forwarding::to(path.port);
            self.kernel.replace_neighbor(entry).await?;
            written += 1;
        }
        if !present.has_neighbor(path) {
            self.kernel.replace_neighbor(path.neighbor()).await?;
            written += 1;
        }
        Ok(written)
    }

    async fn present(&self, paths: &[ReplyPath]) -> nlink::Result<Present> {
        let bridges: BTreeSet<u32> = paths.iter().map(|path| path.bridge).collect();
        let mut forwarding = Vec::new();
        for bridge in bridges {
            forwarding.extend(self.kernel.get_fdb_by_index(bridge).await?);
        }
        Ok(Present {
            neighbors: self.kernel.get_neighbors().await?,
            forwarding,
        })
    }
}

/// A forwarding entry that the bridge does not age out (`static`) and does not move to another port
/// when a frame with the same source MAC comes from there (`sticky`).
struct Forwarding {
    port: InterfaceRef,
    mac: [u8; 6],
}

impl Forwarding {
    fn to(port: AllowedPort) -> Self {
        Self {
            port: port.interface.into(),
            mac: port.mac,
        }
    }

    fn write(&self, builder: &mut MessageBuilder, port: u32, flags: u8) -> nlink::Result<()> {
        let index = i32::try_from(port)
            .map_err(|_| nlink::Error::invalid_message(format!("no interface has index {port}")))?;
        let message = NdMsg::new()
            .with_family(AF_BRIDGE)
            .with_ifindex(index)
            .with_state(nud::NOARP)
            .with_flags(flags);
        builder.append(&message);
        builder.append_attr(NdaAttr::Lladdr as u16, &self.mac);
        Ok(())
    }
}

impl NeighborConfig for Forwarding {
    fn interface_ref(&self) -> &InterfaceRef {
        &self.port
    }

    fn family(&self) -> u8 {
        AF_BRIDGE
    }

    fn write_add(&self, builder: &mut MessageBuilder, port: u32) -> nlink::Result<()> {
        self.write(builder, port, ntf::MASTER | ntf::STICKY)
    }

    fn write_delete(&self, builder: &mut MessageBuilder, port: u32) -> nlink::Result<()> {
        self.write(builder, port, ntf::MASTER)
    }
}
