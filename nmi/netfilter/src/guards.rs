//! The guards of a bridge. There the inet family sees the bridge as a packet's interface, and only
//! the bridge family the port it really came through; so a pod's address and MAC are tied to its
//! port here. The check comes before the bridge learns where a MAC lives, so that a neighbour
//! cannot draw a pod's answers to itself either.

use std::collections::BTreeSet;

use nlink::netlink::nftables::config::DeclaredTableBuilder;
use nlink::netlink::nftables::{
    BaseChain, CmpOp, Expr, Field, FilterHook, LookupExpr, Match, MetaKey, PayloadBase, Priority,
    Register, RuleSpec, SetElement, SetKeyType, TcpFlags,
};

use crate::IMDS;
use crate::caller::{BridgePort, Caller, drop, pair, pair_set};
use crate::plan::{to_address, to_the_platform};

/// Before any other filter of the bridge family (-200).
const GUARD_PRIORITY: Priority = Priority::Custom(-250);

/// Where a field lies in a frame: the header it is in, offset and length in bytes.
struct Place(PayloadBase, u32, u32);

const SOURCE_MAC: Place = Place(PayloadBase::LinkLayer, 6, 6);
const IP_SOURCE: Place = Place(PayloadBase::Network, 12, 4);
/// For Ethernet and IPv4 (RFC 826).
const ARP_SENDER: Place = Place(PayloadBase::Network, 14, 4);
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];

/// The whole table. With no pod on a bridge its sets are empty, and the guard stops nobody.
pub(crate) fn bridge(
    table: DeclaredTableBuilder,
    callers: &BTreeSet<Caller>,
) -> DeclaredTableBuilder {
    let ports: Vec<(&Caller, BridgePort)> = callers
        .iter()
        .filter_map(|caller| Some((caller, caller.port?)))
        .collect();
    let addresses = ports
        .iter()
        .map(|(caller, _)| SetElement::ipv4(caller.address));
    let pairs = ports
        .iter()
        .map(|(caller, port)| pair(port.interface, caller.address));
    let macs = ports.iter().map(|(_, port)| SetElement::ether(port.mac));
    let owners = ports.iter().map(|(_, port)| {
        SetElement::concat([
            SetElement::ifindex(port.interface),
            SetElement::ether(port.mac),
        ])
    });
    let owner = SetKeyType::Concat(vec![SetKeyType::IfIndex, SetKeyType::EtherAddr]);
    let table = table
        .set("addresses", |s| {
            s.key_type(SetKeyType::Ipv4Addr).elements(addresses)
        })
        .set("callers", |s| pair_set(s).elements(pairs))
        .set("macs", |s| s.key_type(SetKeyType::EtherAddr).elements(macs))
        .set("owners", |s| s.key_type(owner).elements(owners))
        .chain("guard", |c| {
            c.base(BaseChain::filter(FilterHook::Prerouting, GUARD_PRIORITY))
                .exclusive()
        })
        .push_rule(
            "guard",
            stranger(RuleSpec::new(), &SOURCE_MAC, "macs", "owners"),
        )
        .push_rule(
            "guard",
            stranger(to_imds(), &IP_SOURCE, "addresses", "callers"),
        )
        .push_rule(
            "guard",
            stranger(arp(), &ARP_SENDER, "addresses", "callers"),
        )
        .chain("forward", |c| {
            c.base(BaseChain::filter(FilterHook::Forward, GUARD_PRIORITY))
                .exclusive()
        });
    forward()
        .into_iter()
        .fold(table, |table, rule| table.push_rule("forward", rule))
}

/// Frames that cross a bridge to the platform. Not every kernel tracks connections there, so an
/// answer is what TCP sends except to open a connection: a segment with ACK.
fn forward() -> Vec<RuleSpec> {
    to_the_platform(Match::eq(Field::TcpFlags, TcpFlags::ACK))
}

/// Drops a frame whose field names somebody we know, but which did not come through that one's
/// port.
fn stranger(rule: RuleSpec, place: &Place, known: &str, pairs: &str) -> RuleSpec {
    let rule = rule
        .then(load(place, Register::R0))
        .then(Expr::Lookup(LookupExpr::new(known, Register::R0)))
        .then(Expr::Meta {
            dreg: Register::R0,
            key: MetaKey::Iif,
        })
        .then(load(place, Register::Reg32_01))
        .then(Expr::Lookup(LookupExpr::new(pairs, Register::R0).invert()));
    drop(rule)
}

fn load(&Place(base, offset, len): &Place, dreg: Register) -> Expr {
    Expr::Payload {
        dreg,
        base,
        offset,
        len,
    }
}

fn to_imds() -> RuleSpec {
    to_address(IMDS)
}

fn arp() -> RuleSpec {
    RuleSpec::new()
        .then(Expr::Meta {
            dreg: Register::R0,
            key: MetaKey::Protocol,
        })
        .then(Expr::Cmp {
            sreg: Register::R0,
            op: CmpOp::Eq,
            data: ETHERTYPE_ARP.to_vec(),
        })
}

#[cfg(test)]
mod tests {
    use nlink::netlink::nftables::Family;

    use super::*;

    #[test]
    fn rules_of_the_bridge_can_be_lowered() {
        for rule in [
            stranger(RuleSpec::new(), &SOURCE_MAC, "macs", "owners"),
            stranger(to_imds(), &IP_SOURCE, "addresses", "callers"),
            stranger(arp(), &ARP_SENDER, "addresses", "callers"),
        ]
        .into_iter()
        .chain(forward())
        {
            rule.lower(Family::Bridge).unwrap();
        }
    }
}
