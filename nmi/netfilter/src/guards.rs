//! The guards of a bridge. There the inet family sees the bridge as a packet's interface, and only
//! the bridge family the port it really came through; so a pod's address and MAC are tied to its
//! port here. The check comes before the bridge learns where a MAC lives, so that a neighbour
//! cannot draw a pod's answers to itself either.
//!
//! Through the port of a proved pod comes what that pod needs and nothing else: ARP and IPv4 with
//! its own addresses, IPv6 with its own MAC, each without any tag or wrapping. Through other ports
//! comes what they like, except in the name of a proved pod or of the node itself, or wrapped in a way
//! that whoever hears it would unwrap after the guards have looked.

use std::collections::BTreeSet;

use nlink::netlink::nftables::config::DeclaredTableBuilder;
use nlink::netlink::nftables::{
    BaseChain, Field, FilterHook, Match, Priority, RuleSpec, SetElement, SetKeyType, TcpFlags,
};

use crate::bridges::BridgeNames;
use crate::caller::{BridgePort, Caller, drop, pair, pair_set};
use crate::frame::{
    ARP, ARP_SENDER, ARP_SENDER_MAC, IP_SOURCE, IPV4, PROVIDER_VLAN, Place, SOURCE_MAC, VLAN,
    known, not_plain, not_zero, of_another_kind, of_kind, through, through_kind, unpaired,
};
use crate::plan::to_the_platform;

/// Before any other filter of the bridge family (-200).
const GUARD_PRIORITY: Priority = Priority::Custom(-250);

/// Addresses of proved pods, and those of the bridges, which are behind no port.
const ADDRESSES: &str = "addresses";
/// Ports with the address of the pod behind each.
pub(crate) const CALLERS: &str = "callers";
/// MACs of proved pods, and those of the bridges, which are behind no port.
const MACS: &str = "macs";
/// Ports with the MAC of the pod behind each.
pub(crate) const OWNERS: &str = "owners";
/// Ports of proved pods.
const PORTS: &str = "ports";

/// Kinds of interfaces by which pods and virtual machines are joined to a bridge. A network card,
/// which may have to hear other protocols (LLDP, tagged frames), is of no kind.
const POD_KINDS: [&str; 2] = ["veth", "tun"];

/// The whole table. With no pod on a bridge its sets are empty, and the guard stops nobody who
/// speaks plainly.
pub(crate) fn bridge(
    table: DeclaredTableBuilder,
    callers: &BTreeSet<Caller>,
    bridges: &BridgeNames,
) -> DeclaredTableBuilder {
    [
        ("guard", FilterHook::Prerouting, guard()),
        ("input", FilterHook::Input, input()),
        ("forward", FilterHook::Forward, forward()),
    ]
    .into_iter()
    .fold(
        sets(table, callers, bridges),
        |table, (chain, hook, rules)| {
            let table = table.chain(chain, |c| {
                c.base(BaseChain::filter(hook, GUARD_PRIORITY)).exclusive()
            });
            rules
                .into_iter()
                .fold(table, |table, rule| table.push_rule(chain, rule))
        },
    )
}

fn sets(
    table: DeclaredTableBuilder,
    callers: &BTreeSet<Caller>,
    bridges: &BridgeNames,
) -> DeclaredTableBuilder {
    let ports: Vec<(&Caller, BridgePort)> = callers
        .iter()
        .filter_map(|caller| Some((caller, caller.port?)))
        .collect();
    let distinct: BTreeSet<BridgePort> = ports.iter().map(|(_, port)| *port).collect();
    let mut addresses = bridges.addresses.clone();
    addresses.extend(ports.iter().map(|(caller, _)| caller.address));
    let addresses = addresses.into_iter().map(SetElement::ipv4);
    let pairs = ports
        .iter()
        .map(|(caller, port)| pair(port.interface, caller.address));
    let mut macs = bridges.macs.clone();
    macs.extend(distinct.iter().map(|port| port.mac));
    let macs = macs.into_iter().map(SetElement::ether);
    let owners = distinct.iter().map(|port| {
        SetElement::concat([
            SetElement::ifindex(port.interface),
            SetElement::ether(port.mac),
        ])
    });
    let interfaces = distinct
        .iter()
        .map(|port| SetElement::ifindex(port.interface));
    let owner = SetKeyType::Concat(vec![SetKeyType::IfIndex, SetKeyType::EtherAddr]);
    table
        .set(ADDRESSES, |s| {
            s.key_type(SetKeyType::Ipv4Addr).elements(addresses)
        })
        .set(CALLERS, |s| pair_set(s).elements(pairs))
        .set(MACS, |s| s.key_type(SetKeyType::EtherAddr).elements(macs))
        .set(OWNERS, |s| s.key_type(owner).elements(owners))
        .set(PORTS, |s| {
            s.key_type(SetKeyType::IfIndex).elements(interfaces)
        })
}

/// What no frame may do, on its way into the bridge.
fn guard() -> Vec<RuleSpec> {
    let mut rules = vec![drop(not_plain(from_a_pod()))];
    rules.extend(names());
    // A tag within a tag hides from the rules above what a pod that hears the frame would take for
    // plain. One tag does not, and machines behind a tun may need it.
    rules.extend(
        POD_KINDS.iter().flat_map(|kind| {
            [VLAN, PROVIDER_VLAN].map(|tag| drop(through_kind(of_kind(tag), kind)))
        }),
    );
    rules
}

/// Speaking in another's name, and a pod's speaking in any name but its own.
fn names() -> Vec<RuleSpec> {
    vec![
        stranger(RuleSpec::new(), SOURCE_MAC, MACS, OWNERS),
        stranger(of_kind(ARP), ARP_SENDER, ADDRESSES, CALLERS),
        stranger(of_kind(IPV4), IP_SOURCE, ADDRESSES, CALLERS),
        drop(unpaired(from_a_pod(), SOURCE_MAC, OWNERS)),
        drop(unpaired(arp_from_a_pod(), ARP_SENDER_MAC, OWNERS)),
        // A sender without an address asks whether one is taken (RFC 5227), and is not heard.
        drop(unpaired(
            not_zero(arp_from_a_pod(), ARP_SENDER),
            ARP_SENDER,
            CALLERS,
        )),
        drop(unpaired(through(of_kind(IPV4), PORTS), IP_SOURCE, CALLERS)),
    ]
}

/// What no frame may do, on its way from a bridge to the node itself. Frames to the bridge protocols'
/// own addresses (01:80:c2:00:00:0x) come only here, and the bridge learns from them too. A tag may by
/// now be the bridge's own.
fn input() -> Vec<RuleSpec> {
    let mut rules = names();
    // The node strips a second tag when the guards have seen the first.
    rules.extend([VLAN, PROVIDER_VLAN].map(|tag| drop(of_kind(tag))));
    rules.extend(POD_KINDS.map(|kind| drop(of_another_kind(through_kind(RuleSpec::new(), kind)))));
    rules
}

/// Frames that cross a bridge to the platform. Not every kernel tracks connections there, so an
/// answer is what TCP sends except to open a connection: a segment with ACK.
fn forward() -> Vec<RuleSpec> {
    to_the_platform(Match::eq(Field::TcpFlags, TcpFlags::ACK))
}

fn from_a_pod() -> RuleSpec {
    through(RuleSpec::new(), PORTS)
}

fn arp_from_a_pod() -> RuleSpec {
    through(of_kind(ARP), PORTS)
}

/// Drops a frame whose field names somebody we know, but which did not come through that one's
/// port.
fn stranger(rule: RuleSpec, place: Place, names: &str, pairs: &str) -> RuleSpec {
    drop(unpaired(known(rule, place, names), place, pairs))
}

#[cfg(test)]
mod tests {
    use nlink::netlink::nftables::Family;

    use super::*;

    #[test]
    fn rules_of_the_bridge_can_be_lowered() {
        for rule in [guard(), input(), forward()].concat() {
            rule.lower(Family::Bridge).unwrap();
        }
    }
}
