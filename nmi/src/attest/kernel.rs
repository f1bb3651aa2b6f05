//! What the kernel knows about pods: their processes, namespaces and links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nlink::netlink::messages::LinkMessage;
use nlink::netlink::{Connection, Route};
use podid_netfilter::BridgePort;
use tokio::task;

use super::{Attachment, Seen, cgroup};

/// Why the kernel could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The list of processes could not be read.
    #[error(
        "cannot list the processes of this node; does the daemon share its process namespace (hostPID)?"
    )]
    Processes(#[source] io::Error),
    /// The node's own links could not be read.
    #[error("cannot list the links of this node")]
    Links(#[source] nlink::Error),
}

/// A link on the node.
struct NodeLink {
    /// Index of its other end, in another namespace.
    peer: Option<u32>,
    /// The bridge it is a port of.
    bridge: Option<u32>,
    mac: Option<[u8; 6]>,
}

/// Looks at the pods named by `uids`, all in one pass: their links to this node, and the node's own.
///
/// # Errors
/// [`KernelError`]. A pod that ends while it is looked at is no error.
pub async fn look(uids: &[String]) -> Result<Seen, KernelError> {
    let namespaces = namespaces_of(uids).await?;
    let node = node_links().await.map_err(KernelError::Links)?;
    let mut pods = BTreeMap::new();
    for (uid, files) in namespaces {
        let mut attachments = Vec::new();
        for file in files {
            match attachments_of(&file, &node).await {
                Ok(found) => attachments.extend(found),
                Err(error) => tracing::debug!(%error, uid, "a namespace went away"),
            }
        }
        pods.insert(uid, attachments);
    }
    Ok(Seen {
        pods,
        node: node
            .iter()
            .map(|(index, link)| (*index, link.mac))
            .collect(),
    })
}

/// The network namespaces of each pod's processes, held open; never the node's own.
async fn namespaces_of(uids: &[String]) -> Result<BTreeMap<String, Vec<File>>, KernelError> {
    let uids = uids.to_vec();
    task::spawn_blocking(move || {
        let wanted: BTreeSet<&str> = uids.iter().map(String::as_str).collect();
        let own = fs::metadata("/proc/self/ns/net")?.ino();
        let processes = cgroup::processes(&wanted)?;
        Ok(processes
            .into_iter()
            .map(|(uid, pids)| (uid, distinct(&pids, own)))
            .collect())
    })
    .await
    .map_err(io::Error::other)
    .flatten()
    .map_err(KernelError::Processes)
}

fn distinct(pids: &[u32], own: u64) -> Vec<File> {
    let mut seen = BTreeSet::from([own]);
    pids.iter()
        .filter_map(|pid| File::open(PathBuf::from(format!("/proc/{pid}/ns/net"))).ok())
        .filter(|file| {
            file.metadata()
                .is_ok_and(|metadata| seen.insert(metadata.ino()))
        })
        .collect()
}

async fn node_links() -> nlink::Result<BTreeMap<u32, NodeLink>> {
    let links = Connection::<Route>::new()?.get_links().await?;
    let bridges: BTreeSet<u32> = links
        .iter()
        .filter(|link| link.kind() == Some("bridge"))
        .map(LinkMessage::ifindex)
        .collect();
    let node_link = |link: &LinkMessage| NodeLink {
        peer: link.link(),
        bridge: link.master().filter(|master| bridges.contains(master)),
        mac: mac_of(link),
    };
    Ok(links
        .iter()
        .map(|link| (link.ifindex(), node_link(link)))
        .collect())
}

/// The links of one namespace whose other end is on the node, by the word of both ends.
async fn attachments_of(
    namespace: &File,
    node: &BTreeMap<u32, NodeLink>,
) -> nlink::Result<Vec<Attachment>> {
    let kernel = Connection::<Route>::new_in(namespace.as_fd())?;
    let addresses = kernel.get_addresses().await?;
    let on = |index: u32| -> Vec<Ipv4Addr> {
        addresses
            .iter()
            .filter(|address| address.ifindex() == index)
            .filter_map(|address| match address.primary_address() {
                Some(IpAddr::V4(address)) => Some(*address),
                _ => None,
            })
            .collect()
    };
    let links = kernel.get_links().await?;
    let attached = links.iter().filter_map(|link| {
        let outside = link.link()?;
        let end = node
            .get(&outside)
            .filter(|end| end.peer == Some(link.ifindex()))?;
        let mac = mac_of(link)?;
        let port = end.bridge.map(|_| BridgePort {
            interface: outside,
            mac,
        });
        let interface = end.bridge.unwrap_or(outside);
        Some(Attachment {
            interface,
            port,
            addresses: on(link.ifindex()),
        })
    });
    Ok(attached.collect())
}

fn mac_of(link: &LinkMessage) -> Option<[u8; 6]> {
    link.address()?.try_into().ok()
}
