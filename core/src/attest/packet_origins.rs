//! Whether a connection that was opened before its pod was attested is that pod's.

use std::collections::BTreeSet;

use super::PodEndpoint;

/// The interfaces through which the packets of one connection have come, as the kernel recorded each
/// packet. Source address and port alone could be anybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketOrigins {
    /// Indexes of the interfaces on which the IP packets arrived.
    pub interfaces: BTreeSet<u32>,
    /// Indexes of the bridge ports by which they arrived; empty when no bridge was on their way.
    pub bridge_ports: BTreeSet<u32>,
}

impl PacketOrigins {
    /// Whether every packet came from this endpoint. A connection without a record came from nowhere.
    #[must_use]
    pub fn are_only(&self, endpoint: &PodEndpoint) -> bool {
        let port = endpoint.bridge_port.map(|port| port.interface);
        self.interfaces == [endpoint.interface].into()
            && port.is_none_or(|port| self.bridge_ports == [port].into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::attest::{BridgePort, Mac};

    fn endpoint(interface: u32, port: Option<u32>) -> PodEndpoint {
        PodEndpoint {
            interface,
            address: Ipv4Addr::new(10, 244, 0, 2),
            bridge_port: port.map(|interface| BridgePort {
                interface,
                mac: Mac([2, 0, 0, 0, 0, 1]),
            }),
        }
    }

    fn origins(interfaces: &[u32], ports: &[u32]) -> PacketOrigins {
        PacketOrigins {
            interfaces: interfaces.iter().copied().collect(),
            bridge_ports: ports.iter().copied().collect(),
        }
    }

    #[test]
    fn a_connection_is_a_pods_only_if_all_of_its_packets_are() {
        let routed = endpoint(7, None);
        let bridged = endpoint(3, Some(8));
        for (origins, expected_routed, expected_bridged) in [
            (origins(&[7], &[]), true, false),
            (origins(&[3], &[8]), false, true),
            (origins(&[3], &[]), false, false),
            (origins(&[3], &[8, 9]), false, false),
            (origins(&[3], &[9]), false, false),
            (origins(&[7, 3], &[8]), false, false),
            (origins(&[], &[8]), false, false),
            (origins(&[], &[]), false, false),
        ] {
            assert_eq!(origins.are_only(&routed), expected_routed, "{origins:?}");
            assert_eq!(origins.are_only(&bridged), expected_bridged, "{origins:?}");
        }
    }
}
