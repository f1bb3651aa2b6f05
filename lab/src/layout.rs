//! Names and addresses of a lab, all decided before anything is started.

use std::net::{IpAddr, Ipv4Addr};

use crate::options::{Network, NodeKind};

/// Address of the control plane on `cloud0`.
pub const CONTROL_PLANE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// Prefix length of the network that joins control plane and nodes.
pub const CLOUD_PREFIX: u8 = 24;
/// Where the API server listens, on [`CONTROL_PLANE`].
pub const API_SERVER_PORT: u16 = 6443;
/// First address of the service range; the API server's own service has it.
pub const SERVICE_RANGE: &str = "10.96.0.0/16";
/// Address of the instance metadata service, which is the cloud's router's own.
pub const IMDS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Host name of the cluster's token issuer; names in `.test` never exist
/// outside (RFC 6761).
pub const ISSUER_HOST: &str = "oidc.podid.test";
/// The cluster's token issuer, as its tokens spell it.
pub const ISSUER: &str = "https://oidc.podid.test:6443";
/// Service account of the operator, as its tokens spell it.
pub const OPERATOR_ACCOUNT: &str = "system:serviceaccount:podid-system:podid-operator";
/// The operator's application, also the name of its service principal.
pub const OPERATOR_APPLICATION: &str = "podid-operator";
/// Client id of the operator's application.
pub const OPERATOR_CLIENT_ID: &str = "09e4a704-0000-4000-8000-000000000001";
/// Roles that the operator needs in Azure, each on some scope.
pub const OPERATOR_ROLES: [&str; 4] = [
    "Managed Identity Contributor",
    "Managed Identity Operator",
    "Virtual Machine Contributor",
    "Role Based Access Control Administrator",
];
/// Namespace of the Flux controllers.
pub const FLUX_NAMESPACE: &str = "flux-system";
/// Most nodes a lab can have: their number is one byte of an address.
pub const MAX_NODES: u8 = 200;

/// One node: a network namespace in the role of a virtual machine.
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
    /// As what Azure has it.
    pub kind: NodeKind,
    /// Azure resource id of the VM or scale set instance, as `spec.providerID`
    /// carries it after `azure://`.
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

/// Subscription of everything in the lab's simulated Azure.
pub const SUBSCRIPTION: &str = "5ab0c0de-0000-4000-8000-000000000001";
/// Tenant of everything in the lab's simulated Azure.
pub const TENANT: &str = "7e4a4700-0000-4000-8000-000000000001";
/// Resource group of the team's identities and stores.
pub const RESOURCE_GROUP: &str = "lab";
/// Object id of the identity that every node has from the start: the kubelet's.
pub const KUBELET_PRINCIPAL: &str = "0b1ec7ed-0000-4000-8000-000000000001";
/// Key vault of the team.
pub const VAULT: &str = "kv-demo";
/// Name and value of a secret in it.
pub const VAULT_SECRET: (&str, &str) = ("sa-password", "correct horse battery staple");
/// Resource group of the nodes, named as AKS names it.
pub const NODE_GROUP: &str = "MC_lab_lab_westeurope";
/// Region of everything.
pub const LOCATION: &str = "westeurope";
/// The scale set with uniform orchestration.
pub const UNIFORM_SET: &str = "nodes-vmss";
/// The scale set with flexible orchestration.
pub const FLEXIBLE_SET: &str = "flex-vmss";

impl Layout {
    /// Names and addresses for a lab with one node per entry of `kinds`.
    /// Entries past [`MAX_NODES`] are left out; the caller refuses those.
    pub fn new(name: &str, network: Network, kinds: &[NodeKind]) -> Self {
        let nodes = (0..MAX_NODES)
            .zip(kinds)
            .map(|(index, &kind)| node(index, kind))
            .collect();
        Self {
            name: name.to_owned(),
            network,
            nodes,
        }
    }

    /// The node that `address` is of, or a pod's address on it.
    pub fn node_of(&self, address: IpAddr) -> Option<&NodeLayout> {
        let IpAddr::V4(address) = address else {
            return None;
        };
        self.nodes.iter().find(|node| {
            let range = node.pod_network.octets();
            node.address == address || address.octets()[..3] == range[..3]
        })
    }

    /// The node called `name`.
    pub fn node(&self, name: &str) -> Option<&NodeLayout> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

fn node(index: u8, kind: NodeKind) -> NodeLayout {
    NodeLayout {
        name: format!("node-{index}"),
        index,
        address: Ipv4Addr::new(10, 200, 0, 10 + index),
        pod_network: Ipv4Addr::new(10, 244, index, 0),
        kind,
        resource_id: resource_id(index, kind),
    }
}

/// Flexible instances are virtual machines in ARM; only uniform ones live
/// under their scale set.
fn resource_id(index: u8, kind: NodeKind) -> String {
    let compute = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{NODE_GROUP}/providers/Microsoft.Compute"
    );
    match kind {
        NodeKind::Uniform => {
            format!("{compute}/virtualMachineScaleSets/{UNIFORM_SET}/virtualMachines/{index}")
        }
        NodeKind::Flexible | NodeKind::Vm => format!("{compute}/virtualMachines/node-{index}"),
    }
}

/// The machine's architecture by its Go name, as nodes and images have it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_addresses_of_their_own() {
        let kinds = [NodeKind::Uniform, NodeKind::Vm];
        let layout = Layout::new("x", Network::Routed, &kinds);
        let [first, second] = &layout.nodes[..] else {
            panic!("two nodes")
        };
        assert_eq!(first.address, Ipv4Addr::new(10, 200, 0, 10));
        assert_eq!(second.pod_network, Ipv4Addr::new(10, 244, 1, 0));
        assert!(
            first
                .resource_id
                .ends_with("/virtualMachineScaleSets/nodes-vmss/virtualMachines/0")
        );
        assert!(
            second
                .resource_id
                .ends_with("Microsoft.Compute/virtualMachines/node-1")
        );
    }

    #[test]
    fn an_address_is_a_nodes_own_or_of_a_pod_on_it() {
        let layout = Layout::new("x", Network::Bridge, &[NodeKind::Uniform, NodeKind::Vm]);
        let name = |address: &str| {
            let node = layout.node_of(address.parse().unwrap());
            node.map(|node| node.name.as_str())
        };
        assert_eq!(name("10.200.0.10"), Some("node-0"));
        assert_eq!(name("10.244.1.77"), Some("node-1"));
        assert_eq!(name("10.244.2.2"), None);
        assert_eq!(name("10.200.0.1"), None);
        assert_eq!(name("::1"), None);
    }
}
