//! Parts that the rules of both tables are made of.

use std::net::Ipv4Addr;

use nlink::netlink::nftables::config::DeclaredSetBuilder;
use nlink::netlink::nftables::{
    Field, Match, RuleSpec, SetElement, SetKeyType, Stmt, Value, Verdict,
};

use crate::{IMDS, WIRE_SERVER};

/// Counts the packets that the rule matches, and drops them.
pub(crate) fn drop(rule: RuleSpec) -> RuleSpec {
    rule.then(Stmt::Counter).then(Verdict::Drop)
}

/// A set whose elements are an interface index and an IPv4 address each.
pub(crate) fn pair_set(set: DeclaredSetBuilder) -> DeclaredSetBuilder {
    set.key_type(SetKeyType::Concat(vec![
        SetKeyType::IfIndex,
        SetKeyType::Ipv4Addr,
    ]))
}

/// An element of a [`pair_set`].
pub(crate) fn pair(interface: u32, address: Ipv4Addr) -> SetElement {
    SetElement::concat([SetElement::ifindex(interface), SetElement::ipv4(address)])
}

/// Matches packets to an address.
pub(crate) fn to_address(address: Ipv4Addr) -> RuleSpec {
    RuleSpec::new().then(Match::eq(Field::Ip4Daddr, Value::Addr(address.into())))
}

/// The rules for packets that would leave the node for the platform. Nothing may reach the metadata
/// service. The wire server may be asked by DNS, and may be answered, because the load balancer's
/// health probes come from its address; `is_answer` is how the table at hand recognises an answer.
pub(crate) fn to_the_platform(is_answer: Match) -> Vec<RuleSpec> {
    let dns = 53u16;
    let passes = [
        Match::eq(Field::UdpDport, dns),
        Match::eq(Field::TcpDport, dns),
        is_answer,
    ];
    let mut rules = vec![drop(to_address(IMDS))];
    rules.extend(passes.map(|pass| to_address(WIRE_SERVER).then(pass).then(Verdict::Accept)));
    rules.push(drop(to_address(WIRE_SERVER)));
    rules
}
