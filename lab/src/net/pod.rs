//! A pod's link to its node.

use std::net::Ipv4Addr;

use nlink::Ipv4Route;
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::link::VethLink;
use nlink::netlink::neigh::Neighbor;
use nlink::netlink::types::route::RouteScope;
use nlink::netlink::{Connection, Route};
use sha2::{Digest, Sha256};

use super::address::POD_PREFIX;
use super::node::{ETH0, POD_BRIDGE, replace_address, replace_route, up};
use super::{Error, Namespace, NodeNetwork};
use crate::options::Network;

/// The next hop of a routed pod: an address that no interface has, resolved by a static neighbour entry.
const ROUTED_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The node's hardware address on every routed pod link, so that a pod needs no ARP to leave.
const ROUTED_GATEWAY_MAC: [u8; 6] = [0xee; 6];

/// What is needed to join a pod to its node.
#[derive(Clone, Debug)]
pub struct PodLink {
    /// The pod's uid.
    pub uid: String,
    /// The pod's address, from the node's range.
    pub address: Ipv4Addr,
    /// The pod's namespace.
    pub namespace: Namespace,
}

/// The name of the node's end of a pod's link: `veth` and eight hexadecimal digits of a hash of
/// the pod's uid, within the kernel's 15 characters.
#[must_use]
pub fn host_link_name(uid: &str) -> String {
    let hash = Sha256::digest(uid.as_bytes());
    let [a, b, c, d] = [hash[0], hash[1], hash[2], hash[3]];
    format!("veth{a:02x}{b:02x}{c:02x}{d:02x}")
}

impl NodeNetwork {
    /// Joins a pod to the node: `eth0` with its address and default route in the pod, and the
    /// way back on the node. A second call for the same pod builds the link anew.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the step that was refused.
    pub async fn attach(&self, pod: &PodLink) -> Result<(), Error> {
        self.detach(&pod.uid).await?;
        let node = self.namespace().connect()?;
        let inside = pod.namespace.connect()?;
        let host = host_link_name(&pod.uid);
        let mut link = VethLink::new(host.as_str(), ETH0).peer_netns_fd(pod.namespace.open()?);
        if self.mode() == Network::Routed {
            link = link.address(ROUTED_GATEWAY_MAC);
        }
        node.add_link(link).await.map_err(Error::kernel(
            format!("create the link {host} of pod {}", pod.uid),
            self.namespace().path(),
        ))?;
        up(&inside, &pod.namespace, "lo").await?;
        match self.mode() {
            Network::Bridge => self.join_bridge(&node, &inside, pod, &host).await,
            Network::Routed => self.join_routed(&node, &inside, pod, &host).await,
        }
    }

    /// Takes a pod's link away; both ends and the routes over them go with it. Does nothing when
    /// it is gone already.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses.
    pub async fn detach(&self, uid: &str) -> Result<(), Error> {
        let node = self.namespace().connect()?;
        let host = host_link_name(uid);
        node.del_link_if_exists(host.as_str())
            .await
            .map_err(Error::kernel(
                format!("remove the link {host} of pod {uid}"),
                self.namespace().path(),
            ))?;
        Ok(())
    }

    async fn join_bridge(
        &self,
        node: &Connection<Route>,
        inside: &Connection<Route>,
        pod: &PodLink,
        host: &str,
    ) -> Result<(), Error> {
        node.enslave(host, POD_BRIDGE).await.map_err(Error::kernel(
            format!("join {host} to cni0"),
            self.namespace().path(),
        ))?;
        up(node, self.namespace(), host).await?;
        let address = Ipv4Address::new(ETH0, pod.address, POD_PREFIX);
        replace_address(inside, &pod.namespace, address).await?;
        up(inside, &pod.namespace, ETH0).await?;
        let default = Ipv4Route::default_route().gateway(self.pod_range().gateway());
        replace_route(inside, &pod.namespace, default).await
    }

    async fn join_routed(
        &self,
        node: &Connection<Route>,
        inside: &Connection<Route>,
        pod: &PodLink,
        host: &str,
    ) -> Result<(), Error> {
        up(node, self.namespace(), host).await?;
        let address = Ipv4Address::new(ETH0, pod.address, 32);
        replace_address(inside, &pod.namespace, address).await?;
        up(inside, &pod.namespace, ETH0).await?;
        let gateway = Neighbor::new_v4(ETH0, ROUTED_GATEWAY)
            .lladdr(ROUTED_GATEWAY_MAC)
            .permanent();
        inside
            .replace_neighbor(gateway)
            .await
            .map_err(Error::kernel("set the pod's gateway", pod.namespace.path()))?;
        replace_route(inside, &pod.namespace, on_link(ROUTED_GATEWAY, ETH0)).await?;
        let default = Ipv4Route::default_route().gateway(ROUTED_GATEWAY).dev(ETH0);
        replace_route(inside, &pod.namespace, default).await?;
        replace_route(node, self.namespace(), on_link(pod.address, host)).await
    }
}

/// A route to one address that is directly at the other end of `link`.
fn on_link(address: Ipv4Addr, link: &str) -> Ipv4Route {
    Ipv4Route::from_addr(address, 32)
        .dev(link)
        .scope(RouteScope::Link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_fit_the_kernel_and_differ() {
        let one = host_link_name("7c7bb2a4-45f5-4e4e-9a4c-6e9b1a9f7d10");
        let two = host_link_name("7c7bb2a4-45f5-4e4e-9a4c-6e9b1a9f7d11");
        assert!(one.len() <= 15, "{one}");
        assert_ne!(one, two);
    }
}
