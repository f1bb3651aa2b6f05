//! Names and addresses of a lab, all decided before anything is started.

use std::net::Ipv4Addr;

use crate::options::{Network, NodeKind};

/// Address of the control plane on `cloud0`.
pub const CONTROL_PLANE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// Prefix length of the network that joins control plane and nodes.
pub const CLOUD_PREFIX: u8 = 24;
/// Where the API server listens, on [`CONTROL_PLANE`].
pub const API_SERVER_PORT: u16 = 6443;
/// First address of the service range; the API server's own service has it.
pub const SERVICE_RANGE: &str = "10.96.0.0/16";
/// Address of the instance metadata service inside each node.
pub const IMDS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Most nodes a lab can have: their number is one byte of an address.
pub const MAX_NODES: u8 = 200;

/// One node: a network namespace that plays a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLayout {
    /// Kubernetes name, also the host name in the node.
    pub name: String,
    /// Position among the lab's nodes, from 0.
    pub index: u8,
    /// Address on `cloud0`.
    pub address: Ipv4Addr,
    /// Network address of the range its pods get, a /24.
    pub pod_network: Ipv4Addr,
    /// What kind of Azure machine it is.
    pub kind: NodeKind,
    /// Azure resource id of the machine, as `spec.providerID` carries it
    /// after `azure://`.
    pub resource_id: String,
}

/// All of a lab that follows from its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The lab's name.
    pub name: String,
    /// How pods are linked to their node.
    pub network: Network,
    /// The nodes, by index.
    pub nodes: Vec<NodeLayout>,
}
