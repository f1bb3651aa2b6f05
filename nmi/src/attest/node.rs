//! The node's ends of links: what the kernel says of them here, no pod can change.

use std::collections::{BTreeMap, BTreeSet};

use nlink::netlink::attr::AttrIter;
use nlink::netlink::message::NlMsgType;
use nlink::netlink::messages::LinkMessage;
use nlink::netlink::parse::{FromNetlink, PResult};
use nlink::netlink::{Connection, Route};

/// Length of the header (`struct ifinfomsg`) before a link's attributes.
const LINK_HEADER: usize = 16;
/// The attribute with the namespace of a link's other end (linux/if_link.h).
const IFLA_LINK_NETNSID: u16 = 37;

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its index in its namespace.
    pub(super) index: u32,
    /// The node's number for that namespace.
    pub(super) namespace: u32,
}

/// A link on the node.
#[derive(Clone, Debug)]
pub(super) struct NodeLink {
    /// Its other end, when that is in another namespace.
    pub(super) peer: Option<Peer>,
    /// The bridge it is a port of.
    pub(super) bridge: Option<u32>,
    pub(super) mac: Option<[u8; 6]>,
}

/// All links of the node, by index.
pub(super) async fn links(kernel: &Connection<Route>) -> nlink::Result<BTreeMap<u32, NodeLink>> {
    let links: Vec<End> = kernel.dump_typed(NlMsgType::RTM_GETLINK).await?;
    let bridges: BTreeSet<u32> = links
        .iter()
        .filter(|end| end.link.kind() == Some("bridge"))
        .map(|end| end.link.ifindex())
        .collect();
    let node_link = |end: &End| NodeLink {
        peer: end.peer(),
        bridge: end.link.master().filter(|master| bridges.contains(master)),
        mac: mac_of(&end.link),
    };
    Ok(links
        .iter()
        .map(|end| (end.link.ifindex(), node_link(end)))
        .collect())
}

/// The hardware address of a link, by its own word.
pub(super) fn mac_of(link: &LinkMessage) -> Option<[u8; 6]> {
    link.address()?.try_into().ok()
}

/// A link with what the library does not tell of it.
struct End {
    link: LinkMessage,
    namespace: Option<u32>,
}

impl End {
    fn peer(&self) -> Option<Peer> {
        Some(Peer {
            index: self.link.link()?,
            namespace: self.namespace?,
        })
    }
}

impl FromNetlink for End {
    fn parse(input: &mut &[u8]) -> PResult<Self> {
        let attributes = input.get(LINK_HEADER..).unwrap_or_default();
        let namespace = AttrIter::new(attributes)
            .find(|(kind, _)| *kind == IFLA_LINK_NETNSID)
            .and_then(|(_, value)| Some(u32::from_ne_bytes(value.try_into().ok()?)));
        Ok(Self {
            link: LinkMessage::parse(input)?,
            namespace,
        })
    }

    fn write_dump_header(buffer: &mut Vec<u8>) {
        LinkMessage::write_dump_header(buffer);
    }
}
