//! The table of the family `bridge`. On a bridge the inet family sees only the bridge as a packet's
//! interface, and the bridge family sees the port that a frame really came through. So this table ties
//! the address and the MAC of a pod to the pod's port. It checks a frame before the bridge learns from
//! it where a MAC is, so that a neighbour cannot draw a pod's answers to itself either.
//!
//! From the port of an attested pod come ARP and IPv4 with the pod's own addresses, and IPv6 with its
//! own MAC, each without any tag or wrapping, and nothing else. From other ports comes anything but
//! frames in the name of an attested pod or of the node itself, and frames whose wrapping the receiver
//! would remove after these rules have looked.

use std::collections::BTreeSet;

use nlink::netlink::nftables::config::DeclaredTableBuilder;
use nlink::netlink::nftables::{
    BaseChain, Field, FilterHook, Match, Priority, RuleSpec, SetElement, SetKeyType, TcpFlags,
    Value, Verdict,
};

use crate::node_bridges::BridgeAddresses;

use crate::packet_record;

use crate::frame::{
    ARP, ARP_SENDER, ARP_SENDER_MAC, FrameField, IP_SOURCE, IPV4, PROVIDER_VLAN, SOURCE_MAC, VLAN,
    known, not_plain, not_through, not_zero, of_another_kind, of_kind, through, through_kind,
    unpaired,
};
use crate::rule::{drop, pair, pair_set, to_the_platform};
use crate::source::{AllowedPort, AllowedSource};
use crate::{IMDS, IMDS_PORT};

/// Before any other filter of the bridge family (-200).
const GUARD_PRIORITY: Priority = Priority::Custom(-250);

/// Name of the set of addresses that have an owner: those of attested pods, and those of the node's
/// bridges, which are behind no port.
const ADDRESSES: &str = "addresses";
/// Name of the set of ports with the address of the pod behind each.
pub(crate) const CALLERS: &str = "callers";
/// Name of the set of MACs that have an owner: those of attested pods, and those of the node's
/// bridges, which are behind no port.
const MACS: &str = "macs";
/// Name of the set of ports with the MAC of the pod behind each.
pub(crate) const OWNERS: &str = "owners";
/// Name of the set of ports of attested pods.
const PORTS: &str = "ports";

/// Kinds of interfaces by which pods and VMs are connected to a bridge. A network card has
/// no kind; it may need other protocols (LLDP, tagged frames).
const POD_KINDS: [&str; 2] = ["veth", "tun"];

/// The table of the family `bridge`. While no pod is on a bridge, the sets have only the node's own
/// addresses, and plain frames of others pass.
pub(crate) fn declare(
    table: DeclaredTableBuilder,
    sources: &BTreeSet<AllowedSource>,
    bridges: &BridgeAddresses,
) -> DeclaredTableBuilder {
    [
        ("guard", FilterHook::Prerouting, prerouting()),
        ("input", FilterHook::Input, input()),
        ("forward", FilterHook::Forward, forward()),
    ]
    .into_iter()
    .fold(
        sets(table, sources, bridges),
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

/// The table before the first daemon: only the chain that keeps frames from the platform.
pub(crate) fn declare_closed(table: DeclaredTableBuilder) -> DeclaredTableBuilder {
    let base = BaseChain::filter(FilterHook::Forward, GUARD_PRIORITY);
    let table = table.chain("forward", |chain| chain.base(base).exclusive());
    let rules = forward().into_iter();
    rules.fold(table, |table, rule| table.push_rule("forward", rule))
}

fn sets(
    table: DeclaredTableBuilder,
    sources: &BTreeSet<AllowedSource>,
    bridges: &BridgeAddresses,
) -> DeclaredTableBuilder {
    let ports: Vec<(&AllowedSource, AllowedPort)> = sources
        .iter()
        .filter_map(|source| Some((source, source.port?)))
        .collect();
    let distinct: BTreeSet<AllowedPort> = ports.iter().map(|(_, port)| *port).collect();
    let mut addresses = bridges.addresses.clone();
    addresses.extend(ports.iter().map(|(source, _)| source.address));
    let addresses = addresses.into_iter().map(SetElement::ipv4);
    let pairs = ports
        .iter()
        .map(|(source, port)| pair(port.interface, source.address));
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
        .set(packet_record::UNATTESTED, packet_record::set)
}

/// Drops frames on their way into the bridge, before it learns from them.
fn prerouting() -> Vec<RuleSpec> {
    let mut rules = vec![drop(not_plain(from_a_pod()))];
    rules.extend(source_checks());
    // The rules above see through one tag only. A frame with a tag within a tag could reach a pod that
    // strips both and takes the content for plain. One tag is kept, because VMs behind a
    // tun may need it.
    rules.extend(
        POD_KINDS.iter().flat_map(|kind| {
            [VLAN, PROVIDER_VLAN].map(|tag| drop(through_kind(of_kind(tag), kind)))
        }),
    );
    // A packet that cannot be recorded, because the set is full, goes on to the next rule.
    rules.push(packet_record::record(call_of_no_pod()).then(Verdict::Accept));
    rules.push(drop(call_of_no_pod()));
    rules
}

/// Drops frames whose source is owned by another port, and frames of a pod with any other source than
/// its own.
fn source_checks() -> Vec<RuleSpec> {
    vec![
        drop_unless_owner(RuleSpec::new(), SOURCE_MAC, MACS, OWNERS),
        drop_unless_owner(of_kind(ARP), ARP_SENDER, ADDRESSES, CALLERS),
        drop_unless_owner(of_kind(IPV4), IP_SOURCE, ADDRESSES, CALLERS),
        drop(unpaired(from_a_pod(), SOURCE_MAC, OWNERS)),
        drop(unpaired(arp_from_a_pod(), ARP_SENDER_MAC, OWNERS)),
        // A sender address of zero asks whether an address is taken (RFC 5227), and claims none.
        drop(unpaired(
            not_zero(arp_from_a_pod(), ARP_SENDER),
            ARP_SENDER,
            CALLERS,
        )),
        drop(unpaired(through(of_kind(IPV4), PORTS), IP_SOURCE, CALLERS)),
    ]
}

/// Drops frames on their way from a bridge to the node itself. The source is checked again, because
/// frames to the addresses of bridge protocols (01:80:c2:00:00:0x) pass only here, and the bridge learns
/// from them too. Tags are not checked here for pods' ports: at this point a tag may be the bridge's own.
fn input() -> Vec<RuleSpec> {
    let mut rules = source_checks();
    // The node would strip a second tag after these rules have seen the first.
    rules.extend([VLAN, PROVIDER_VLAN].map(|tag| drop(of_kind(tag))));
    rules.extend(POD_KINDS.map(|kind| drop(of_another_kind(through_kind(RuleSpec::new(), kind)))));
    rules
}

/// Drops frames that cross a bridge to the platform. Not every kernel tracks connections there, so an
/// answer is recognised by TCP's ACK flag, which every segment has except the one that opens a connection.
fn forward() -> Vec<RuleSpec> {
    to_the_platform(Match::eq(Field::TcpFlags, TcpFlags::ACK))
}

/// Packets of calls for the metadata service that do not come from the port of an attested pod. Those of
/// an attested pod need no record: the rules above let pass only what is the pod's own.
fn call_of_no_pod() -> RuleSpec {
    not_through(of_kind(IPV4), PORTS)
        .then(Match::eq(Field::Ip4Daddr, Value::Addr(IMDS.into())))
        .then(Match::eq(Field::TcpDport, IMDS_PORT))
}

fn from_a_pod() -> RuleSpec {
    through(RuleSpec::new(), PORTS)
}

fn arp_from_a_pod() -> RuleSpec {
    through(of_kind(ARP), PORTS)
}

/// Drops frames whose field has a value of the set `owned`, unless `pairs` has the port that the frame
/// came through together with that value.
fn drop_unless_owner(rule: RuleSpec, field: FrameField, owned: &str, pairs: &str) -> RuleSpec {
    drop(unpaired(known(rule, field, owned), field, pairs))
}

#[cfg(test)]
mod tests {
    use nlink::netlink::nftables::Family;

    use super::*;

    #[test]
    fn rules_of_the_bridge_can_be_lowered() {
        for rule in [prerouting(), input(), forward()].concat() {
            rule.lower(Family::Bridge).unwrap();
        }
    }
}
