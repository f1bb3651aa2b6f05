//! Where the node sends what is for a pod on a bridge: the neighbour entry that gives the pod's MAC,
//! and the bridge's forwarding entry that gives the port. Left to themselves both are learned from
//! whoever speaks last; podid writes them down for every proved pod.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use nlink::netlink::fdb::FdbEntry;
use nlink::netlink::messages::NeighborMessage;
use nlink::netlink::neigh::{Neighbor, NeighborConfig};
use nlink::netlink::types::neigh::{NdMsg, NdaAttr, ntf, nud};
use nlink::netlink::{Connection, InterfaceRef, MessageBuilder, Route};

use crate::bridges::BridgeNames;
use crate::caller::{BridgePort, Caller};

/// Address family of a bridge's forwarding entries.
const AF_BRIDGE: u8 = 7;

/// The entries of one network namespace.
pub(crate) struct Replies {
    kernel: Connection<Route>,
}

/// The two entries of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    bridge: u32,
    address: Ipv4Addr,
    port: BridgePort,
}

impl Path {
    fn of(caller: &Caller) -> Option<Self> {
        Some(Self {
            bridge: caller.interface,
            address: caller.address,
            port: caller.port?,
        })
    }

    fn neighbor(&self) -> Neighbor {
        Neighbor::with_index_v4(self.bridge, self.address)
            .lladdr(self.port.mac)
            .permanent()
    }
}

/// The entries that are there.
struct Present {
    neighbors: Vec<NeighborMessage>,
    forwarding: Vec<FdbEntry>,
}

impl Present {
    fn has_neighbor(&self, path: &Path) -> bool {
        self.neighbors.iter().any(|entry| {
            entry.ifindex() == path.bridge
                && entry.destination() == Some(&IpAddr::V4(path.address))
                && entry.lladdr() == Some(&path.port.mac)
                && entry.is_permanent()
        })
    }

    fn has_forwarding(&self, port: &BridgePort) -> bool {
        self.forwarding.iter().any(|entry| {
            entry.ifindex() == port.interface
                && entry.mac() == port.mac
                && entry.is_static()
                && entry.is_sticky()
        })
    }
}

impl Replies {
    pub(crate) fn new(kernel: Connection<Route>) -> Self {
        Self { kernel }
    }

    /// What the node is called on its bridges now.
    pub(crate) async fn bridge_names(&self) -> nlink::Result<BridgeNames> {
        BridgeNames::read(&self.kernel).await
    }

    /// Takes away the entries of pods of `held` that no pod of `wanted` needs. An entry that is gone
    /// or says something else by now is left alone.
    pub(crate) async fn forget(
        &self,
        held: &BTreeSet<Caller>,
        wanted: &BTreeSet<Caller>,
    ) -> nlink::Result<usize> {
        let needed: BTreeSet<Path> = wanted.iter().filter_map(Path::of).collect();
        let stale: Vec<Path> = held
            .iter()
            .filter_map(Path::of)
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
                let gone = self.kernel.del_neighbor_if_exists(path.neighbor()).await?;
                changes += usize::from(gone);
            }
            let shared = needed.iter().any(|other| other.port == port);
            if present.has_forwarding(&port) && !shared {
                let gone = self.kernel.del_neighbor_if_exists(Forwarding::to(port));
                changes += usize::from(gone.await?);
            }
        }
        Ok(changes)
    }

    /// Writes the entries of `wanted` that are not there. Returns how many that were, and what went
    /// wrong with which pod: its link may have gone away meanwhile.
    pub(crate) async fn keep(
        &self,
        wanted: &BTreeSet<Caller>,
    ) -> nlink::Result<(usize, Vec<(Caller, nlink::Error)>)> {
        let paths: Vec<(Caller, Path)> = wanted
            .iter()
            .filter_map(|caller| Some((*caller, Path::of(caller)?)))
            .collect();
        if paths.is_empty() {
            return Ok((0, Vec::new()));
        }
        let every: Vec<Path> = paths.iter().map(|(_, path)| *path).collect();
        let present = self.present(&every).await?;
        let (mut changes, mut failed) = (0, Vec::new());
        for (caller, path) in paths {
            match self.write(&path, &present).await {
                Ok(written) => changes += written,
                Err(error) => failed.push((caller, error)),
            }
        }
        Ok((changes, failed))
    }

    async fn write(&self, path: &Path, present: &Present) -> nlink::Result<usize> {
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

    async fn present(&self, paths: &[Path]) -> nlink::Result<Present> {
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

/// A forwarding entry that the bridge neither forgets (`static`) nor moves to another port when
/// somebody speaks from there (`sticky`).
struct Forwarding {
    port: InterfaceRef,
    mac: [u8; 6],
}

impl Forwarding {
    fn to(port: BridgePort) -> Self {
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
