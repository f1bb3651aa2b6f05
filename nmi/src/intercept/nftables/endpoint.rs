//! An endpoint of a pod in the terms of `core` and of the rules.

use podid_core::attest::{BridgePort, Mac, PodEndpoint};
use podid_netfilter::{AllowedPort, AllowedSource};

pub(super) fn source_of(endpoint: &PodEndpoint) -> AllowedSource {
    AllowedSource {
        interface: endpoint.interface,
        address: endpoint.address,
        port: endpoint.bridge_port.map(|port| AllowedPort {
            interface: port.interface,
            mac: port.mac.0,
        }),
    }
}

pub(super) fn endpoint_of(source: &AllowedSource) -> PodEndpoint {
    PodEndpoint {
        interface: source.interface,
        address: source.address,
        bridge_port: source.port.map(|port| BridgePort {
            interface: port.interface,
            mac: Mac(port.mac),
        }),
    }
}
