//! A node's side of the network.

use nlink::Ipv4Route;
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::link::BridgeLink;
use nlink::netlink::{Connection, Route};

use super::address::POD_PREFIX;
use super::{Error, Namespace, PodRange};
use crate::layout::{CLOUD_PREFIX, CONTROL_PLANE, NodeLayout};
use crate::options::Network;

/// The bridge that joins the pods of a node in [`Network::Bridge`].
pub(super) const POD_BRIDGE: &str = "cni0";
/// A node's and a pod's own link.
pub(super) const ETH0: &str = "eth0";

/// One node's network: what pods are attached to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeNetwork {
    namespace: Namespace,
    range: PodRange,
    mode: Network,
}

impl NodeNetwork {
    /// The node's namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The range its pods' addresses come from.
    #[must_use]
    pub fn pod_range(&self) -> PodRange {
        self.range
    }

    /// How its pods are linked to it.
    #[must_use]
    pub fn mode(&self) -> Network {
        self.mode
    }

    /// Gives a linked node its address, its way to the
    /// others, forwarding and, in bridge mode, the bridge for its pods.
    pub(super) async fn configure(
        layout: &NodeLayout,
        namespace: Namespace,
        mode: Network,
    ) -> Result<Self, Error> {
        let node = Self {
            namespace,
            range: PodRange::around(layout.pod_network),
            mode,
        };
        let kernel = node.namespace.connect()?;
        up(&kernel, &node.namespace, "lo").await?;
        let address = Ipv4Address::new(ETH0, layout.address, CLOUD_PREFIX);
        replace_address(&kernel, &node.namespace, address).await?;
        up(&kernel, &node.namespace, ETH0).await?;
        let default = Ipv4Route::default_route().gateway(CONTROL_PLANE);
        replace_route(&kernel, &node.namespace, default).await?;
        node.namespace.set("net.ipv4.ip_forward", "1")?;
        match mode {
            Network::Bridge => node.create_bridge(&kernel).await?,
            Network::Routed => {}
        }
        Ok(node)
    }

    /// The hardware address of the pods' bridge, as the CNI plugin `bridge` sets it. A bridge without
    /// a fixed one takes the lowest of its ports', so that it changes, and running pods have the old
    /// one in their caches, when a pod with a lower one is added.
    fn bridge_mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.range.gateway().octets();
        [0x0a, 0x58, a, b, c, d]
    }

    async fn create_bridge(&self, kernel: &Connection<Route>) -> Result<(), Error> {
        let at = self.namespace.path();
        kernel
            .del_link_if_exists(POD_BRIDGE)
            .await
            .map_err(Error::kernel("remove the old bridge cni0", at))?;
        kernel
            .add_link(BridgeLink::new(POD_BRIDGE).address(self.bridge_mac()))
            .await
            .map_err(Error::kernel("create the bridge cni0", at))?;
        let gateway = Ipv4Address::new(POD_BRIDGE, self.range.gateway(), POD_PREFIX);
        replace_address(kernel, &self.namespace, gateway).await?;
        up(kernel, &self.namespace, POD_BRIDGE).await
    }
}

/// Sets a link up.
pub(super) async fn up(
    kernel: &Connection<Route>,
    namespace: &Namespace,
    link: &str,
) -> Result<(), Error> {
    kernel.set_link_up(link).await.map_err(Error::kernel(
        format!("set link {link} up"),
        namespace.path(),
    ))
}

/// Gives a link an address, or confirms that it has it.
pub(super) async fn replace_address(
    kernel: &Connection<Route>,
    namespace: &Namespace,
    address: Ipv4Address,
) -> Result<(), Error> {
    let doing = format!("set an address: {address:?}");
    kernel
        .replace_address(address)
        .await
        .map_err(Error::kernel(doing, namespace.path()))
}

/// Adds a route, or confirms it.
pub(super) async fn replace_route(
    kernel: &Connection<Route>,
    namespace: &Namespace,
    route: Ipv4Route,
) -> Result<(), Error> {
    let doing = format!("set a route: {route:?}");
    kernel
        .replace_route(route)
        .await
        .map_err(Error::kernel(doing, namespace.path()))
}
