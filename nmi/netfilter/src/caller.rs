//! The pods that were proved, and how rules name them.

use std::net::Ipv4Addr;

use nlink::netlink::nftables::config::DeclaredSetBuilder;
use nlink::netlink::nftables::{RuleSpec, SetElement, SetKeyType, Stmt, Verdict};

/// One pod as the kernel sees it: who comes through this interface with this address is it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// Index of the interface on which the inet family sees the pod's packets: the pod's own, or
    /// the bridge it is a port of.
    pub interface: u32,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// The pod's port, when it is on a bridge.
    pub port: Option<BridgePort>,
}

/// A pod's port of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgePort {
    /// Index of the port's interface.
    pub interface: u32,
    /// Hardware address of the pod behind it.
    pub mac: [u8; 6],
}

/// Counts what fits, and drops it.
pub(crate) fn drop(rule: RuleSpec) -> RuleSpec {
    rule.then(Stmt::Counter).then(Verdict::Drop)
}

/// A set of interfaces with an address each.
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
