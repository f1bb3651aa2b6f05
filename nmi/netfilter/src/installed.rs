//! What the kernel has of podid's rules, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use nlink::netlink::nftables::{Family, SetElement};
use nlink::netlink::{Connection, Nftables};

use crate::set_elements::elements;
use crate::source::{AllowedPort, AllowedSource};
use crate::{bridge_table, inet_table};

/// The state that podid keeps in the kernel's sets, whichever daemon has written it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledRules {
    /// The generation of the daemon that owns the rules; 0 when there are none.
    pub generation: u32,
    /// The sources that are let through to the attested listener.
    pub sources: BTreeSet<AllowedSource>,
}

impl InstalledRules {
    /// Reads the sets of podid's tables. Tables and sets that are not there are empty.
    pub(crate) async fn read(kernel: &Connection<Nftables>) -> nlink::Result<Self> {
        let inet = |set| elements(kernel, set, Family::Inet);
        let bridge = |set| elements(kernel, set, Family::Bridge);
        let generations = inet(inet_table::GENERATION).await?;
        Ok(Self {
            generation: generations.iter().filter_map(number).max().unwrap_or(0),
            sources: join(
                &inet(inet_table::CALLERS).await?,
                &bridge(bridge_table::CALLERS).await?,
                &bridge(bridge_table::OWNERS).await?,
            ),
        })
    }
}

/// The sources that three sets describe: interfaces with addresses, ports with addresses, ports with
/// MACs. A source whose port has no MAC in the last set is left out.
fn join(
    sources: &[SetElement],
    ports: &[SetElement],
    owners: &[SetElement],
) -> BTreeSet<AllowedSource> {
    let port_of: BTreeMap<Ipv4Addr, u32> = ports
        .iter()
        .filter_map(address_pair)
        .map(|(port, address)| (address, port))
        .collect();
    let mac_of: BTreeMap<u32, [u8; 6]> = owners.iter().filter_map(mac_pair).collect();
    let source = |(interface, address)| {
        let port = match port_of.get(&address) {
            Some(port) => Some(AllowedPort {
                interface: *port,
                mac: *mac_of.get(port)?,
            }),
            None => None,
        };
        Some(AllowedSource {
            interface,
            address,
            port,
        })
    };
    sources
        .iter()
        .filter_map(address_pair)
        .filter_map(source)
        .collect()
}

/// The number in the first field of an element, an interface's index for instance.
fn number(element: &SetElement) -> Option<u32> {
    let field = element.key().get(..4)?;
    Some(u32::from_ne_bytes(field.try_into().ok()?))
}

fn address_pair(element: &SetElement) -> Option<(u32, Ipv4Addr)> {
    let address: [u8; 4] = element.key().get(4..8)?.try_into().ok()?;
    Some((number(element)?, address.into()))
}

fn mac_pair(element: &SetElement) -> Option<(u32, [u8; 6])> {
    let mac = element.key().get(4..10)?.try_into().ok()?;
    Some((number(element)?, mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::pair;

    const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn owner(port: u32, mac: [u8; 6]) -> SetElement {
        SetElement::concat([SetElement::ifindex(port), SetElement::ether(mac)])
    }

    #[test]
    fn sets_are_joined_to_the_sources_they_were_made_from() {
        let joined = join(&[pair(3, A), pair(9, B)], &[pair(7, A)], &[owner(7, MAC)]);
        let port = AllowedPort {
            interface: 7,
            mac: MAC,
        };
        let expected =
            [(3, A, Some(port)), (9, B, None)].map(|(interface, address, port)| AllowedSource {
                interface,
                address,
                port,
            });
        assert_eq!(joined, expected.into());
    }

    #[test]
    fn a_source_behind_a_port_without_a_mac_is_left_out() {
        assert!(join(&[pair(3, A)], &[pair(7, A)], &[owner(8, MAC)]).is_empty());
    }

    #[test]
    fn an_element_that_is_too_short_is_passed_over() {
        let short = [SetElement::new(vec![1, 2, 3])];
        assert!(join(&short, &short, &short).is_empty());
    }
}
