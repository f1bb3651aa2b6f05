//! Reads the processes, network namespaces and links of pods.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use async_trait::async_trait;
use nlink::netlink::{Connection, Route};
use podid_core::attest::{BridgePort, KernelFacts, LinkPeer, NodeLink, PodLink};
use tokio::task;

use super::cgroup;
use super::node_links::{mac_of, node_links};

/// Most network namespaces of one pod that are looked into. A pod has one, and more only if it makes
/// them itself; without a bound, one that makes many would use up the files that may be open and
/// delay the attestation of all others.
const NAMESPACES_PER_POD: usize = 32;

/// Why the kernel could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// The list of processes could not be read.
    #[error(
        "cannot list the processes of this node; does the daemon share its process namespace (hostPID)?"
    )]
    Processes(#[source] io::Error),
    /// The node's own links could not be read.
    #[error("cannot list the links of this node")]
    Links(#[source] nlink::Error),
}

/// Looks at pods. Tests have their own.
#[async_trait]
pub(crate) trait PodInspector: fmt::Debug + Send + Sync {
    /// What the kernel shows of the pods with these uids.
    async fn look(&self, uids: &[String]) -> Result<KernelFacts, LookError>;
}

/// The kernel of the node that this process runs on.
#[derive(Debug)]
pub(crate) struct KernelInspector;

#[async_trait]
impl PodInspector for KernelInspector {
    async fn look(&self, uids: &[String]) -> Result<KernelFacts, LookError> {
        look(uids).await
    }
}

/// Looks at the pods with these uids, all in one pass over the processes of the node: their links to
/// the node, and the node's own links.
///
/// # Errors
/// [`LookError`]. A pod that ends while it is looked at is no error.
async fn look(uids: &[String]) -> Result<KernelFacts, LookError> {
    let namespaces = namespaces_of(uids).await?;
    let here = Connection::<Route>::new().map_err(LookError::Links)?;
    let links = node_links(&here).await.map_err(LookError::Links)?;
    let mut pods = BTreeMap::new();
    for (uid, files) in namespaces {
        let mut found = Vec::new();
        for file in files {
            match pod_links(&file, &here, &links).await {
                Ok(links) => found.extend(links),
                // The pod has ended, or closed one namespace of several: the others still count.
                Err(error) => {
                    tracing::debug!(%error, uid, "a network namespace went away while it was looked at")
                }
            }
        }
        pods.insert(uid, found);
    }
    Ok(KernelFacts { pods, links })
}

/// The network namespaces of each pod's processes, held open; never the node's own.
async fn namespaces_of(uids: &[String]) -> Result<BTreeMap<String, Vec<File>>, LookError> {
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
    .map_err(LookError::Processes)
}

/// Those of the oldest processes, of which one is the pod's own.
fn distinct(pids: &[u32], own: u64) -> Vec<File> {
    // An inode number identifies a namespace only while the namespace exists, so each file stays open.
    let mut seen = BTreeSet::from([own]);
    let aged = pids.iter().filter_map(|pid| Some((started(*pid)?, *pid)));
    let mut aged: Vec<(u64, u32)> = aged.collect();
    aged.sort_unstable();
    aged.iter()
        .filter_map(|(_, pid)| File::open(format!("/proc/{pid}/ns/net")).ok())
        .filter(|file| {
            file.metadata()
                .is_ok_and(|metadata| seen.insert(metadata.ino()))
        })
        .take(NAMESPACES_PER_POD)
        .collect()
}

/// When a process began, in ticks of the kernel since it started; `None` when it has ended. Ids of processes begin anew
/// when the highest is reached, so that a younger one may have a lower id.
fn started(pid: u32) -> Option<u64> {
    start_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/PID/stat` (proc_pid_stat(5)). The second, a name that its process chooses, may have any character.
fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

/// The links of one network namespace whose other end is on the node. Both ends must name each
/// other: the node's end names index and namespace of the pod's end, and a pod can choose the index of
/// a link that it makes itself, but never the number that the node has for its namespace.
async fn pod_links(
    file: &File,
    here: &Connection<Route>,
    node: &BTreeMap<u32, NodeLink>,
) -> nlink::Result<Vec<PodLink>> {
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
        let (outside, end) = end_of(LinkPeer { index, namespace }, link.link()?, node)?;
        let mac = mac_of(link)?;
        let port = end.bridge.map(|_| BridgePort {
            interface: outside,
            mac,
        });
        let interface = end.bridge.unwrap_or(outside);
        Some(PodLink {
            interface,
            bridge_port: port,
            addresses: on(index),
        })
    });
    Ok(attached.collect())
}

/// The node's end of a link, if the end that the link names leads back to it.
fn end_of(link: LinkPeer, named: u32, node: &BTreeMap<u32, NodeLink>) -> Option<(u32, &NodeLink)> {
    let end = node.get(&named).filter(|end| end.peer == Some(link))?;
    Some((named, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_behind_any_name() {
        let behind = |name: &str| {
            let fields = (3..=52).map(|field| field.to_string());
            format!("77 ({name}) {}\n", fields.collect::<Vec<_>>().join(" "))
        };
        for name in ["pause", "a b", "x) S 1 1 1", "))"] {
            assert_eq!(start_time(&behind(name)), Some(22), "{name}");
        }
        for text in ["", "77 (pause", "77 (pause) S 1 2"] {
            assert_eq!(start_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_made_to_look_like_anothers_leads_nowhere() {
        let peer = |index, namespace| LinkPeer { index, namespace };
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
