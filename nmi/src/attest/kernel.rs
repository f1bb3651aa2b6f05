//! What the kernel knows about pods: their processes, namespaces and links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nlink::netlink::{Connection, Route};
use podid_netfilter::BridgePort;
use tokio::task;

use super::node::{NodeLink, Peer, mac_of};
use super::{Attachment, Seen, cgroup, node};

/// Most network namespaces of one pod that are looked into. A pod has one, and more only if it makes
/// them itself; without a bound, one that makes many would use up the files that may be open and
/// delay everybody's proof.
const NAMESPACES_PER_POD: usize = 32;

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

/// Looks at the pods named by `uids`, all in one pass: their links to this node, and the node's own.
///
/// # Errors
/// [`KernelError`]. A pod that ends while it is looked at is no error.
pub async fn look(uids: &[String]) -> Result<Seen, KernelError> {
    let namespaces = namespaces_of(uids).await?;
    let here = Connection::<Route>::new().map_err(KernelError::Links)?;
    let node = node::links(&here).await.map_err(KernelError::Links)?;
    let mut pods = BTreeMap::new();
    for (uid, files) in namespaces {
        let mut attachments = Vec::new();
        for file in files {
            match attachments_of(&file, &here, &node).await {
                Ok(found) => attachments.extend(found),
                Err(error) => tracing::debug!(%error, uid, "a namespace went away"),
            }
        }
        pods.insert(uid, attachments);
    }
    Ok(Seen { pods, node })
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

/// The first ones in the order of process ids: the pod's own namespace is that of its oldest
/// processes.
fn distinct(pids: &[u32], own: u64) -> Vec<File> {
    let mut seen = BTreeSet::from([own]);
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    pids.iter()
        .filter_map(|pid| File::open(PathBuf::from(format!("/proc/{pid}/ns/net"))).ok())
        .filter(|file| {
            file.metadata()
                .is_ok_and(|metadata| seen.insert(metadata.ino()))
        })
        .take(NAMESPACES_PER_POD)
        .collect()
}

/// The links of one namespace whose other end is on the node, by the word of both ends. The node's
/// end names index and namespace, of which a pod can choose the first for links of its own making,
/// and never the second.
async fn attachments_of(
    file: &File,
    here: &Connection<Route>,
    node: &BTreeMap<u32, NodeLink>,
) -> nlink::Result<Vec<Attachment>> {
    let namespace = here.get_nsid(file.as_fd()).await?;
    let kernel = Connection::<Route>::new_in(file.as_fd())?;
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
        let index = link.ifindex();
        let (outside, end) = end_of(Peer { index, namespace }, link.link()?, node)?;
        let mac = mac_of(link)?;
        let port = end.bridge.map(|_| BridgePort {
            interface: outside,
            mac,
        });
        let interface = end.bridge.unwrap_or(outside);
        Some(Attachment {
            interface,
            port,
            addresses: on(index),
        })
    });
    Ok(attached.collect())
}

/// The node's end of a link, if the end that the link names leads back to it.
fn end_of(link: Peer, named: u32, node: &BTreeMap<u32, NodeLink>) -> Option<(u32, &NodeLink)> {
    let end = node.get(&named).filter(|end| end.peer == Some(link))?;
    Some((named, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_made_to_look_like_anothers_leads_nowhere() {
        let peer = |index, namespace| Peer { index, namespace };
        let end = |peer| NodeLink {
            peer,
            bridge: Some(3),
            mac: None,
        };
        let node = BTreeMap::from([
            (7, end(Some(peer(2, 0)))),
            (8, end(Some(peer(2, 1)))),
            (9, end(None)),
        ]);
        for (link, named, leads) in [
            (peer(2, 0), 7, true),
            (peer(2, 1), 8, true),
            // Namespace 1 has a link with the right index, which names the end of namespace 0.
            (peer(2, 1), 7, false),
            (peer(4, 0), 7, false),
            (peer(2, 0), 9, false),
            (peer(2, 0), 10, false),
        ] {
            let found = end_of(link, named, &node).is_some();
            assert_eq!(found, leads, "{link:?} names {named}");
        }
    }
}
