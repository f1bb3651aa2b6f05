//! The control plane's bridge and its routes: the cloud's network as the nodes see it.

use nlink::Ipv4Route;
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::link::{BridgeLink, VethLink};

use super::address::POD_PREFIX;
use super::node::{ETH0, NodeNetwork, replace_address, up};
use super::{Error, Namespace, PodRange};
use crate::layout::{CLOUD_PREFIX, CONTROL_PLANE, IMDS, NodeLayout};
use crate::options::Network;

/// The bridge that joins the control plane and the nodes.
const BRIDGE: &str = "cloud0";

/// The network that joins a lab's nodes. It ends with the control plane's namespace.
#[derive(Clone, Debug)]
pub struct Cloud {
    control_plane: Namespace,
}

impl Cloud {
    /// Makes the control plane's part: loopback, the bridge, and forwarding, because the control
    /// plane is the cloud's router between pod ranges; and the metadata service's address, which
    /// nodes reach by their default route. A second call changes nothing.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the step that was refused.
    pub async fn create(control_plane: Namespace) -> Result<Self, Error> {
        let kernel = control_plane.connect()?;
        let at = control_plane.path();
        up(&kernel, &control_plane, "lo").await?;
        replace_address(&kernel, &control_plane, Ipv4Address::new("lo", IMDS, 32)).await?;
        let bridge = kernel.get_link_by_name(BRIDGE).await;
        if bridge
            .map_err(Error::kernel("look for the bridge cloud0", at))?
            .is_none()
        {
            kernel
                .add_link(BridgeLink::new(BRIDGE))
                .await
                .map_err(Error::kernel("create the bridge cloud0", at))?;
        }
        let address = Ipv4Address::new(BRIDGE, CONTROL_PLANE, CLOUD_PREFIX);
        replace_address(&kernel, &control_plane, address).await?;
        up(&kernel, &control_plane, BRIDGE).await?;
        control_plane.set("net.ipv4.ip_forward", "1")?;
        // A packet between two nodes' pods enters and leaves by the same bridge. By default the
        // kernel then sends the sender an ICMP redirect, which is of no use here.
        control_plane.set("net.ipv4.conf.all.send_redirects", "0")?;
        control_plane.set("net.ipv4.conf.cloud0.send_redirects", "0")?;
        Ok(Self { control_plane })
    }

    /// Joins a node whose namespace is fresh: its link, its side of the network, and the route
    /// to its pods. A second call for the same node builds the link anew.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the step that was refused.
    pub async fn add_node(
        &self,
        layout: &NodeLayout,
        namespace: Namespace,
        mode: Network,
    ) -> Result<NodeNetwork, Error> {
        self.link(layout, &namespace).await?;
        let node = NodeNetwork::configure(layout, namespace, mode).await?;
        self.route_pods(layout).await?;
        Ok(node)
    }

    async fn link(&self, layout: &NodeLayout, node: &Namespace) -> Result<(), Error> {
        let kernel = self.control_plane.connect()?;
        let at = self.control_plane.path();
        let port = port_name(layout);
        kernel
            .del_link_if_exists(port.as_str())
            .await
            .map_err(Error::kernel(format!("remove the old link {port}"), at))?;
        kernel
            .add_link(VethLink::new(port.as_str(), ETH0).peer_netns_fd(node.open()?))
            .await
            .map_err(Error::kernel(format!("create the link {port}"), at))?;
        kernel
            .enslave(port.as_str(), BRIDGE)
            .await
            .map_err(Error::kernel(format!("join {port} to cloud0"), at))?;
        up(&kernel, &self.control_plane, &port).await
    }

    async fn route_pods(&self, layout: &NodeLayout) -> Result<(), Error> {
        let range = PodRange::around(layout.pod_network);
        let route = Ipv4Route::from_addr(range.network(), POD_PREFIX).gateway(layout.address);
        let kernel = self.control_plane.connect()?;
        kernel.replace_route(route).await.map_err(Error::kernel(
            format!("route {range} to node {}", layout.name),
            self.control_plane.path(),
        ))
    }
}

/// The control plane's end of a node's link, numbered like the node's address.
fn port_name(layout: &NodeLayout) -> String {
    format!("node{}", layout.index)
}
