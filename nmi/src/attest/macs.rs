//! Which MAC belongs behind which port of a bridge. Pure.
//!
//! A pod that may change its link can give it any MAC; so the word of the link is taken once, when
//! the pod behind it is first proved, and holds as long as the port is there. A MAC that is behind
//! another port already, or the node's own, makes the newcomer a disagreement; when two come at the
//! same time with one MAC, both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use podid_netfilter::{BridgePort, Caller};

use super::{Disagreement, Seen};

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The MAC behind each port, by the index of the port's interface.
#[derive(Debug, Default)]
pub(crate) struct Macs {
    by_port: BTreeMap<u32, Mac>,
}

impl Macs {
    /// Those of pods that were proved before.
    pub(crate) fn of(callers: &BTreeSet<Caller>) -> Self {
        let mut macs = Self::default();
        macs.keep(callers);
        macs
    }

    /// Forgets ports that the node has no more.
    pub(crate) fn retain(&mut self, seen: &Seen) {
        self.by_port.retain(|port, _| seen.node.contains_key(port));
    }

    /// Judges all newly proved pods of one look together, and keeps the MACs of those that pass.
    pub(crate) fn judge(
        &mut self,
        outcomes: &mut BTreeMap<String, Result<Vec<Caller>, Disagreement>>,
        seen: &Seen,
    ) {
        let proved = || outcomes.values().flatten().flatten();
        let ports: BTreeSet<BridgePort> = proved().filter_map(|caller| caller.port).collect();
        let refused: BTreeMap<BridgePort, Disagreement> = ports
            .iter()
            .filter_map(|port| Some((*port, self.objection(*port, &ports, seen)?)))
            .collect();
        for outcome in outcomes.values_mut() {
            let ports = outcome.iter().flatten().filter_map(|caller| caller.port);
            match ports.filter_map(|port| refused.get(&port)).next() {
                Some(objection) => *outcome = Err(objection.clone()),
                None => self.keep(outcome.iter().flatten()),
            }
        }
    }

    fn keep<'a>(&mut self, callers: impl IntoIterator<Item = &'a Caller>) {
        let ports = callers.into_iter().filter_map(|caller| caller.port);
        self.by_port
            .extend(ports.map(|port| (port.interface, Mac(port.mac))));
    }

    /// What speaks against the MAC of a port, of all that are proved in one look.
    fn objection(
        &self,
        port: BridgePort,
        all: &BTreeSet<BridgePort>,
        seen: &Seen,
    ) -> Option<Disagreement> {
        let mac = Mac(port.mac);
        if seen.node.values().any(|own| own.mac == Some(port.mac)) {
            return Some(Disagreement::MacOfTheNode { mac });
        }
        match self.by_port.get(&port.interface) {
            Some(first) if *first == mac => return None,
            Some(first) => {
                return Some(Disagreement::ChangedMac {
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
        (taken || contested).then_some(Disagreement::SharedMac { mac })
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

    fn caller(port: u32, mac: Mac) -> Caller {
        Caller {
            interface: 3,
            address: Ipv4Addr::LOCALHOST,
            port: Some(BridgePort {
                interface: port,
                mac: mac.0,
            }),
        }
    }

    /// A node with these ports, and a bridge with a MAC of its own.
    fn node(ports: &[u32]) -> Seen {
        let links = ports.iter().map(|port| (*port, NodeLink::default()));
        let bridge = NodeLink {
            mac: Some(OF_THE_NODE.0),
            ..NodeLink::default()
        };
        Seen {
            node: links.chain([(3, bridge)]).collect(),
            ..Seen::default()
        }
    }

    /// What becomes of pods, named by their ports, that are proved in one look.
    fn judged(macs: &mut Macs, pods: &[(u32, Mac)]) -> Vec<Option<Disagreement>> {
        let mut outcomes = pods
            .iter()
            .map(|(port, mac)| (port.to_string(), Ok(vec![caller(*port, *mac)])))
            .collect();
        macs.judge(&mut outcomes, &node(&[7, 8]));
        outcomes.into_values().map(Result::err).collect()
    }

    #[test]
    fn the_first_mac_counts_and_is_nobody_elses() {
        let shared = Some(Disagreement::SharedMac { mac: M });
        let changed = Some(Disagreement::ChangedMac { first: M, found: N });
        let of_the_node = Some(Disagreement::MacOfTheNode { mac: OF_THE_NODE });
        // Known before; what is seen now; what becomes of it.
        type Row<'a> = (
            &'a [(u32, Mac)],
            &'a [(u32, Mac)],
            Vec<Option<Disagreement>>,
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
                let contested = Some(Disagreement::SharedMac { mac: N });
                vec![changed, contested]
            }),
            (&[], &[(7, OF_THE_NODE)], vec![of_the_node]),
        ];
        for (before, seen, expected) in table {
            let known = before.iter().map(|(port, mac)| caller(*port, *mac));
            let mut macs = Macs::of(&known.collect());
            assert_eq!(judged(&mut macs, seen), expected, "{before:?} {seen:?}");
        }
    }

    #[test]
    fn what_was_refused_is_not_kept() {
        let mut macs = Macs::of(&[caller(7, M)].into());
        assert_ne!(judged(&mut macs, &[(8, M)]), [None]);
        assert_eq!(judged(&mut macs, &[(8, N)]), [None]);
    }

    #[test]
    fn a_mac_is_free_again_when_its_port_is_gone() {
        let mut macs = Macs::of(&[caller(7, M)].into());
        macs.retain(&node(&[8]));
        assert_eq!(judged(&mut macs, &[(8, M)]), [None]);
    }

    #[test]
    fn pods_that_are_not_on_a_bridge_may_have_any_mac() {
        let routed = Caller {
            port: None,
            ..caller(7, M)
        };
        let mut outcomes = BTreeMap::from([("u".to_owned(), Ok(vec![routed]))]);
        Macs::default().judge(&mut outcomes, &node(&[7]));
        assert_eq!(outcomes["u"], Ok(vec![routed]));
    }
}
