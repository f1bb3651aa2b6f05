//! The links of the node, and the other end of each. The library's own link has no field for the
//! namespace of the other end.

use std::collections::BTreeMap;

use nlink::netlink::attr::AttrIter;
use nlink::netlink::message::NlMsgType;
use nlink::netlink::messages::{LinkInfo, LinkMessage};
use nlink::netlink::parse::{FromNetlink, PResult};
use nlink::netlink::{Connection, Route};
use podid_core::attest::{LinkPeer, Mac, NodeLink};

/// Length of the header (`struct ifinfomsg`) before a link's attributes, in bytes.
const LINK_HEADER: usize = 16;
/// The attribute with the namespace of a link's other end (linux/if_link.h).
const IFLA_LINK_NETNSID: u16 = 37;

/// All links of the node, by interface index.
pub(super) async fn node_links(
    kernel: &Connection<Route>,
) -> nlink::Result<BTreeMap<u32, NodeLink>> {
    let answers: Vec<LinkAnswer> = kernel.dump_typed(NlMsgType::RTM_GETLINK).await?;
    let links = answers
        .iter()
        .map(|answer| (answer.index(), answer.node_link()));
    Ok(links.collect())
}

/// The MAC that a link's message names; `None` for links that are not Ethernet.
pub(super) fn mac_of(link: &LinkMessage) -> Option<Mac> {
    Some(Mac(link.address()?.try_into().ok()?))
}

/// A link's message with the attribute that the library leaves out.
pub(super) struct LinkAnswer {
    link: LinkMessage,
    peer_namespace: Option<u32>,
}

impl LinkAnswer {
    pub(super) fn index(&self) -> u32 {
        self.link.ifindex()
    }

    pub(super) fn node_link(&self) -> NodeLink {
        let on_bridge = self.link.link_info().and_then(LinkInfo::slave_kind) == Some("bridge");
        NodeLink {
            peer: self.peer(),
            bridge: self.link.master().filter(|_| on_bridge),
            mac: mac_of(&self.link),
        }
    }

    fn peer(&self) -> Option<LinkPeer> {
        Some(LinkPeer {
            index: self.link.link()?,
            namespace: self.peer_namespace?,
        })
    }
}

impl FromNetlink for LinkAnswer {
    fn parse(input: &mut &[u8]) -> PResult<Self> {
        let attributes = input.get(LINK_HEADER..).unwrap_or_default();
        let peer_namespace = AttrIter::new(attributes)
            .find(|(kind, _)| *kind == IFLA_LINK_NETNSID)
            .and_then(|(_, value)| Some(u32::from_ne_bytes(value.try_into().ok()?)));
        Ok(Self {
            link: LinkMessage::parse(input)?,
            peer_namespace,
        })
    }

    fn write_dump_header(buffer: &mut Vec<u8>) {
        LinkMessage::write_dump_header(buffer);
    }
}
