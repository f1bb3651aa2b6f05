//! The node's ends of links. What the kernel says of them here no pod can change, unless it may change
//! the node's network itself: with NET_ADMIN in the node's user namespace, which is asked at every
//! link's far end. So an end is compared with what it was when its pod was proved.

use std::collections::BTreeMap;

use nlink::netlink::attr::AttrIter;
use nlink::netlink::message::{NLM_F_REQUEST, NlMsgError, NlMsgType};
use nlink::netlink::messages::{LinkInfo, LinkMessage};
use nlink::netlink::parse::{FromNetlink, PResult};
use nlink::netlink::types::IfInfoMsg;
use nlink::netlink::{Connection, MessageBuilder, MessageIter, NetlinkSocket, Protocol, Route};

/// Length of the header (`struct ifinfomsg`) before a link's attributes.
const LINK_HEADER: usize = 16;
/// The attribute with the namespace of a link's other end (linux/if_link.h).
const IFLA_LINK_NETNSID: u16 = 37;

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its index in its namespace.
    pub index: u32,
    /// The node's number for that namespace.
    pub namespace: u32,
}

/// A link on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLink {
    /// Its other end, when that is in another namespace.
    pub peer: Option<Peer>,
    /// The bridge it is a port of.
    pub bridge: Option<u32>,
    /// Its own hardware address.
    pub mac: Option<[u8; 6]>,
}

impl NodeLink {
    /// Whether it still leads from the same bridge, if any, to the same other end.
    pub(crate) fn leads_as(&self, before: &Self) -> bool {
        (self.peer, self.bridge) == (before.peer, before.bridge)
    }
}

/// All links of the node, by index.
pub(super) async fn links(kernel: &Connection<Route>) -> nlink::Result<BTreeMap<u32, NodeLink>> {
    let links: Vec<End> = kernel.dump_typed(NlMsgType::RTM_GETLINK).await?;
    let links = links
        .iter()
        .map(|end| (end.link.ifindex(), end.node_link()));
    Ok(links.collect())
}

/// One link of the node as it is now, by one question; `None` when there is none. The socket is made
/// for the question, so that no answer to an earlier one can be taken for its answer.
///
/// # Errors
/// When the kernel does not answer.
pub(crate) async fn link(index: u32) -> nlink::Result<Option<NodeLink>> {
    let Some(header) = i32::try_from(index).ok().filter(|index| *index > 0) else {
        return Ok(None);
    };
    let socket = NetlinkSocket::new(Protocol::Route)?;
    let mut question = MessageBuilder::new(NlMsgType::RTM_GETLINK, NLM_F_REQUEST);
    question.append(&IfInfoMsg::new().with_index(header));
    question.set_seq(socket.next_seq());
    question.set_pid(socket.pid());
    socket.send(&question.finish()).await?;
    let answer = socket.recv_unicast().await?;
    let Some(part) = MessageIter::new(&answer).next() else {
        return Ok(None);
    };
    let (header, payload) = part?;
    if header.is_error() {
        let error = NlMsgError::from_bytes(payload)?.into_error(payload);
        return match error.is_no_device() {
            true => Ok(None),
            false => Err(error),
        };
    }
    let end = End::from_bytes(payload)?;
    Ok(Some(end.node_link()).filter(|_| end.link.ifindex() == index))
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
    fn node_link(&self) -> NodeLink {
        let on_bridge = self.link.link_info().and_then(LinkInfo::slave_kind) == Some("bridge");
        NodeLink {
            peer: self.peer(),
            bridge: self.link.master().filter(|_| on_bridge),
            mac: mac_of(&self.link),
        }
    }

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
