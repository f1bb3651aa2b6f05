//! Which MAC belongs behind which port of a bridge.
//!
//! A pod that may change its end of a link can give it any MAC. So the MAC that is found when a pod
//! is first attested behind a port is recorded, and is the only one accepted there as long as the
//! port exists. A pod is refused when its MAC is already recorded for another port or is one of the
//! node's own. When the kernel is read and two new pods have the same MAC, both are refused, because
//! it is not known which of them had it first.

use std::collections::{BTreeMap, BTreeSet};

use super::{AttestationError, BridgePort, KernelFacts, Mac, PodEndpoint};

/// The recorded MACs, by the interface index of the port.
#[derive(Debug, Default)]
pub(super) struct PortMacs {
    by_port: BTreeMap<u32, Mac>,
}

impl PortMacs {
    /// The MACs of pods that were attested before.
    pub(super) fn of(endpoints: &BTreeSet<PodEndpoint>) -> Self {
        let mut macs = Self::default();
        macs.record(endpoints);
        macs
    }

    /// Adds the MACs of pods that another daemon attested, at ports of which none is recorded.
    pub(super) fn inherit(&mut self, endpoints: &BTreeSet<PodEndpoint>) {
        for port in endpoints.iter().filter_map(|endpoint| endpoint.bridge_port) {
            self.by_port.entry(port.interface).or_insert(port.mac);
        }
    }

    /// Forgets ports that the node no longer has.
    pub(super) fn retain(&mut self, facts: &KernelFacts) {
        self.by_port
            .retain(|port, _| facts.links.contains_key(port));
    }

    /// Checks all pods of one reading together, because two of them may have the same MAC. Turns the result
    /// of a pod whose MAC is not acceptable into an error, and records the MACs of the others.
    pub(super) fn check(
        &mut self,
        results: &mut BTreeMap<String, Result<Vec<PodEndpoint>, AttestationError>>,
        facts: &KernelFacts,
    ) {
        let ports: BTreeSet<BridgePort> = results
            .values()
            .flatten()
            .flatten()
            .filter_map(|endpoint| endpoint.bridge_port)
            .collect();
        let refused: BTreeMap<BridgePort, AttestationError> = ports
            .iter()
            .filter_map(|port| Some((*port, self.error_at(*port, &ports, facts)?)))
            .collect();
        for result in results.values_mut() {
            let endpoints = result.iter().flatten();
            let ports = endpoints.filter_map(|endpoint| endpoint.bridge_port);
            match ports.filter_map(|port| refused.get(&port)).next() {
                Some(error) => *result = Err(error.clone()),
                None => self.record(result.iter().flatten()),
            }
        }
    }

    fn record<'a>(&mut self, endpoints: impl IntoIterator<Item = &'a PodEndpoint>) {
        let ports = endpoints
            .into_iter()
            .filter_map(|endpoint| endpoint.bridge_port);
        self.by_port
            .extend(ports.map(|port| (port.interface, port.mac)));
    }

    /// Why the MAC behind `port` is not acceptable; `all` are the ports of the same reading.
    fn error_at(
        &self,
        port: BridgePort,
        all: &BTreeSet<BridgePort>,
        facts: &KernelFacts,
    ) -> Option<AttestationError> {
        let mac = port.mac;
        if facts.links.values().any(|own| own.mac == Some(mac)) {
            return Some(AttestationError::MacOfTheNode { mac });
        }
        match self.by_port.get(&port.interface) {
            Some(first) if *first == mac => return None,
            Some(first) => {
                return Some(AttestationError::ChangedMac {
                    first: *first,
                    found: mac,
                });
            }
            None => {}
        }
        let taken = self.by_port.values().any(|other| *other == mac);
        let contested = all
            .iter()
            .any(|other| other.mac == port.mac && other.interface != port.interface);
        (taken || contested).then_some(AttestationError::SharedMac { mac })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::attest::NodeLink;

    const M: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const N: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const OF_THE_NODE: Mac = Mac([2, 0, 0, 0, 0, 9]);

    fn endpoint(port: u32, mac: Mac) -> PodEndpoint {
        PodEndpoint {
            interface: 3,
            address: Ipv4Addr::LOCALHOST,
            bridge_port: Some(BridgePort {
                interface: port,
                mac,
            }),
        }
    }

    /// A node with these ports, and a bridge with a MAC of its own.
    fn node(ports: &[u32]) -> KernelFacts {
        let links = ports.iter().map(|port| (*port, NodeLink::default()));
        let bridge = NodeLink {
            mac: Some(OF_THE_NODE),
            ..NodeLink::default()
        };
        KernelFacts {
            links: links.chain([(3, bridge)]).collect(),
            ..KernelFacts::default()
        }
    }

    /// The errors of pods, named by their ports, that are seen in one look.
    fn checked(macs: &mut PortMacs, pods: &[(u32, Mac)]) -> Vec<Option<AttestationError>> {
        let mut results = pods
            .iter()
            .map(|(port, mac)| (port.to_string(), Ok(vec![endpoint(*port, *mac)])))
            .collect();
        macs.check(&mut results, &node(&[7, 8]));
        results.into_values().map(Result::err).collect()
    }

    #[test]
    fn the_first_mac_counts_and_is_nobody_elses() {
        let shared = Some(AttestationError::SharedMac { mac: M });
        let changed = Some(AttestationError::ChangedMac { first: M, found: N });
        let of_the_node = Some(AttestationError::MacOfTheNode { mac: OF_THE_NODE });
        // Recorded before; seen now; the resulting errors.
        type Row<'a> = (
            &'a [(u32, Mac)],
            &'a [(u32, Mac)],
            Vec<Option<AttestationError>>,
        );
        let table: [Row<'_>; 9] = [
            (&[], &[(7, M)], vec![None]),
            (&[], &[(7, M), (8, N)], vec![None, None]),
            (&[(7, M)], &[(7, M)], vec![None]),
            (&[(7, M)], &[(7, N)], vec![changed.clone()]),
            (&[(7, M)], &[(8, M)], vec![shared.clone()]),
            (&[(7, M)], &[(7, M), (8, M)], vec![None, shared.clone()]),
            (&[], &[(7, M), (8, M)], vec![shared.clone(), shared]),
            (&[(7, M)], &[(7, N), (8, N)], {
                let contested = Some(AttestationError::SharedMac { mac: N });
                vec![changed, contested]
            }),
            (&[], &[(7, OF_THE_NODE)], vec![of_the_node]),
        ];
        for (before, seen, expected) in table {
            let known = before.iter().map(|(port, mac)| endpoint(*port, *mac));
            let mut macs = PortMacs::of(&known.collect());
            assert_eq!(checked(&mut macs, seen), expected, "{before:?} {seen:?}");
        }
    }

    #[test]
    fn what_was_refused_is_not_kept() {
        let mut macs = PortMacs::of(&[endpoint(7, M)].into());
        assert_ne!(checked(&mut macs, &[(8, M)]), [None]);
        assert_eq!(checked(&mut macs, &[(8, N)]), [None]);
    }

    #[test]
    fn a_mac_is_free_again_when_its_port_is_gone() {
        let mut macs = PortMacs::of(&[endpoint(7, M)].into());
        macs.retain(&node(&[8]));
        assert_eq!(checked(&mut macs, &[(8, M)]), [None]);
    }

    #[test]
    fn pods_that_are_not_on_a_bridge_may_have_any_mac() {
        let routed = PodEndpoint {
            bridge_port: None,
            ..endpoint(7, M)
        };
        let mut results = BTreeMap::from([("u".to_owned(), Ok(vec![routed]))]);
        PortMacs::default().check(&mut results, &node(&[7]));
        assert_eq!(results["u"], Ok(vec![routed]));
    }
}
