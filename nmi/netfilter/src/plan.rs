//! What the kernel should hold: pure, printable.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use nlink::NftablesConfig;
use nlink::netlink::nftables::config::DeclaredTableBuilder;
use nlink::netlink::nftables::{
    BaseChain, CtDirection, Family, Field, FilterHook, Match, NatHook, NatStatement, PacketField,
    Priority, RuleSpec, SetElement, SetKeyType, Stmt, Value, Verdict,
};

use crate::bridges::BridgeNames;
use crate::caller::{Caller, drop, pair, pair_set};
use crate::{IMDS, IMDS_PORT, TABLE, WIRE_SERVER, guards};

/// Before kube-proxy's destination NAT (-100): a Service that claims the metadata address must not
/// win.
const DIVERT_PRIORITY: Priority = Priority::Custom(-110);
/// Before other filters (0), whose `accept` does not end the packet's way through ours anyway.
const FILTER_PRIORITY: Priority = Priority::Custom(-10);

/// Interfaces with the address of the pod behind each.
pub(crate) const CALLERS: &str = "callers";
/// The generation of the daemon that owns the rules.
pub(crate) const GENERATION: &str = "generation";

/// Where diverted connections go. Both listeners have the same, local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Takes connections of callers that were proved.
    pub attested: SocketAddrV4,
    /// Takes all others, to answer what needs no proof and to refuse the rest in words.
    pub unattested: SocketAddrV4,
}

/// The whole of podid's rules on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where diverted connections go.
    pub listeners: Listeners,
    /// Which daemon's plan this is: each that starts on a node counts one up from the last. A plan
    /// of a daemon that has been succeeded is not carried out any more.
    pub generation: u32,
    /// The pods that were proved.
    pub callers: BTreeSet<Caller>,
}

impl Plan {
    /// The plan in the words of the netlink library, with what the node is called on its bridges now:
    /// the one fact of which whoever makes a plan knows nothing.
    pub(crate) fn config(&self, bridges: &BridgeNames) -> NftablesConfig {
        NftablesConfig::new()
            .table(TABLE, Family::Inet, |table| self.inet(table))
            // With or without pods on a bridge: frames may cross one to the platform before the
            // first of them is proved.
            .table(TABLE, Family::Bridge, |table| {
                guards::bridge(table, &self.callers, bridges)
            })
    }

    fn inet(&self, table: DeclaredTableBuilder) -> DeclaredTableBuilder {
        let pairs = self
            .callers
            .iter()
            .map(|caller| pair(caller.interface, caller.address));
        let generation = SetElement::mark(self.generation);
        let table = table
            .set(CALLERS, |set| pair_set(set).elements(pairs))
            .set(GENERATION, |set| {
                set.key_type(SetKeyType::Mark).element(generation)
            });
        let table = table
            .chain("divert", |c| {
                c.base(BaseChain::nat(NatHook::Prerouting, DIVERT_PRIORITY))
                    .exclusive()
            })
            .chain("input", |c| {
                c.base(BaseChain::filter(FilterHook::Input, FILTER_PRIORITY))
                    .exclusive()
            })
            .chain("forward", |c| {
                c.base(BaseChain::filter(FilterHook::Forward, FILTER_PRIORITY))
                    .exclusive()
            });
        [
            ("divert", self.divert()),
            ("input", self.input()),
            ("forward", forward()),
        ]
        .into_iter()
        .fold(table, |table, (chain, rules)| {
            rules
                .into_iter()
                .fold(table, |table, rule| table.push_rule(chain, rule))
        })
    }

    /// Brings every call from outside the node to a listener. The target is a fixed address and
    /// not `redirect`, which drops packets from interfaces without an address before Linux 6.6.
    fn divert(&self) -> Vec<RuleSpec> {
        let call = || {
            RuleSpec::new()
                .then(Match::eq(Field::Ip4Daddr, Value::Addr(IMDS.into())))
                .then(Match::eq(Field::TcpDport, IMDS_PORT))
        };
        let to = |listener: SocketAddrV4| {
            Stmt::Nat(NatStatement::dnat(*listener.ip()).port(listener.port()))
        };
        vec![
            of_the_node(),
            call().then(known_pair()).then(to(self.listeners.attested)),
            call().then(to(self.listeners.unattested)),
        ]
    }

    fn input(&self) -> Vec<RuleSpec> {
        let Listeners {
            attested,
            unattested,
        } = self.listeners;
        let at = |listener: SocketAddrV4| {
            RuleSpec::new()
                .then(Match::eq(
                    Field::Ip4Daddr,
                    Value::Addr((*listener.ip()).into()),
                ))
                .then(Match::eq(Field::TcpDport, listener.port()))
        };
        let refuse = |rule: RuleSpec| {
            rule.then(Stmt::Counter)
                .then(Stmt::Reject(nlink::netlink::nftables::Reject::TcpReset))
        };
        let mut rules = vec![of_the_node()];
        for listener in [attested, unattested] {
            let asked_address = Field::CtDaddr(CtDirection::Original);
            let asked_port = Field::CtDport(CtDirection::Original);
            rules.push(refuse(
                at(listener).then(Match::ne(asked_address, Value::Addr(IMDS.into()))),
            ));
            rules.push(refuse(at(listener).then(Match::ne(asked_port, IMDS_PORT))));
        }
        rules.push(at(attested).then(known_pair()).then(Verdict::Accept));
        rules.push(drop(at(attested)));
        rules.push(at(unattested).then(Verdict::Accept));
        rules.push(drop(to_address(IMDS)));
        rules
    }
}

/// What was not diverted (another port, another protocol, a connection older than the rules) must
/// not reach the platform.
fn forward() -> Vec<RuleSpec> {
    let reply = Match::eq(Field::CtDirection, Value::CtDirection(CtDirection::Reply));
    to_the_platform(reply)
}

/// What may pass to the platform: nothing to the metadata service; to the wire server questions for
/// DNS, and answers to the load balancer, whose health probes come from that address.
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

/// The node's own traffic, where the address is its own (as it is in a lab).
fn of_the_node() -> RuleSpec {
    RuleSpec::new()
        .then(Match::eq(Field::Iifname, Value::Name("lo".to_owned())))
        .then(Verdict::Return)
}

fn known_pair() -> Match {
    let pair = vec![PacketField::Iif, PacketField::Ip4Saddr];
    Match::eq(Field::Concat(pair), Value::set(CALLERS))
}

pub(crate) fn to_address(address: Ipv4Addr) -> RuleSpec {
    RuleSpec::new().then(Match::eq(Field::Ip4Daddr, Value::Addr(address.into())))
}

/// As `nft list ruleset` would show it, without the elements' bytes and what the node's bridges add.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in self.config(&BridgeNames::default()).tables() {
            writeln!(f, "table {} {} {{", table.family(), table.name())?;
            for set in table.sets() {
                writeln!(f, "  set {}: {} elements", set.name(), set.elements().len())?;
            }
            for chain in table.chains() {
                writeln!(f, "  chain {} {{", chain.name())?;
                for rule in table
                    .rules()
                    .iter()
                    .filter(|rule| rule.chain() == chain.name())
                {
                    let text = rule.spec().nft_syntax_stateless(table.family());
                    writeln!(f, "    {}", text.as_deref().unwrap_or("(not printable)"))?;
                }
                writeln!(f, "  }}")?;
            }
            writeln!(f, "}}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
