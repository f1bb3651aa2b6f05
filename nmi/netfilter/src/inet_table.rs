//! The table of the family `inet`: diverts calls for the metadata service to the listeners, and lets
//! only known pairs of interface and address reach the attested one.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use nlink::netlink::nftables::config::DeclaredTableBuilder;
use nlink::netlink::nftables::{
    BaseChain, CmpOp, CtDirection, Expr, Field, FilterHook, Match, NatHook, NatStatement,
    PacketField, PayloadBase, Priority, Register, RuleSpec, SetElement, SetKeyType, Stmt, TcpFlags,
    Value, Verdict,
};

use crate::listeners::Listeners;
use crate::packet_record;
use crate::rule::{drop, pair, pair_set, to_address, to_the_platform};
use crate::source::AllowedSource;
use crate::{IMDS, IMDS_PORT};

/// Before kube-proxy's destination NAT (-100): a Service that claims the metadata address must not
/// win.
const DIVERT_PRIORITY: Priority = Priority::Custom(-110);
/// Before other filters (0), whose `accept` does not end the packet's way through ours anyway.
const FILTER_PRIORITY: Priority = Priority::Custom(-10);

/// Name of the set of interfaces with the address that is allowed behind each.
pub(crate) const CALLERS: &str = "callers";
/// Name of the set of addresses of attested pods.
const ADDRESSES: &str = "addresses";
/// Name of the set with the generation of the daemon that owns the rules.
pub(crate) const GENERATION: &str = "generation";

/// The table of the family `inet`.
pub(crate) fn declare(
    table: DeclaredTableBuilder,
    listeners: Listeners,
    generation: u32,
    sources: &BTreeSet<AllowedSource>,
) -> DeclaredTableBuilder {
    let chains = [
        (
            "divert",
            BaseChain::nat(NatHook::Prerouting, DIVERT_PRIORITY),
            divert(listeners),
        ),
        (
            "input",
            BaseChain::filter(FilterHook::Input, FILTER_PRIORITY),
            input(listeners),
        ),
        (
            "forward",
            BaseChain::filter(FilterHook::Forward, FILTER_PRIORITY),
            forward(),
        ),
        (
            "output",
            BaseChain::filter(FilterHook::Output, FILTER_PRIORITY),
            output(listeners),
        ),
    ];
    let table = sets(table, generation, sources);
    // Chains before rules: the library wants a rule's chain to be declared.
    let table = chains.iter().fold(table, |table, (chain, base, _)| {
        table.chain(*chain, |c| c.base(base.clone()).exclusive())
    });
    chains.into_iter().fold(table, |table, (chain, _, rules)| {
        rules
            .into_iter()
            .fold(table, |table, rule| table.push_rule(chain, rule))
    })
}

/// The table before the first daemon: only the chain that keeps packets from the platform.
pub(crate) fn declare_closed(table: DeclaredTableBuilder) -> DeclaredTableBuilder {
    let base = BaseChain::filter(FilterHook::Forward, FILTER_PRIORITY);
    let table = table.chain("forward", |chain| chain.base(base).exclusive());
    let rules = forward().into_iter();
    rules.fold(table, |table, rule| table.push_rule("forward", rule))
}

fn sets(
    table: DeclaredTableBuilder,
    generation: u32,
    sources: &BTreeSet<AllowedSource>,
) -> DeclaredTableBuilder {
    let pairs = sources
        .iter()
        .map(|source| pair(source.interface, source.address));
    let generation = SetElement::mark(generation);
    let addresses: BTreeSet<_> = sources.iter().map(|source| source.address).collect();
    let addresses = addresses.into_iter().map(SetElement::ipv4);
    table
        .set(ADDRESSES, |set| {
            set.key_type(SetKeyType::Ipv4Addr).elements(addresses)
        })
        .set(CALLERS, |set| pair_set(set).elements(pairs))
        .set(GENERATION, |set| {
            set.key_type(SetKeyType::Mark).element(generation)
        })
        .set(packet_record::UNATTESTED, packet_record::set)
}

/// Brings every call from outside the node to a listener. The target is a fixed address and
/// not `redirect`, which drops packets from interfaces without an address before Linux 6.6.
fn divert(listeners: Listeners) -> Vec<RuleSpec> {
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
        call().then(known_pair()).then(to(listeners.attested)),
        call().then(to(listeners.unattested)),
    ]
}

fn input(listeners: Listeners) -> Vec<RuleSpec> {
    let Listeners {
        attested,
        unattested,
    } = listeners;
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
        rules.push(refuse(
            at(listener).then(Match::ne(asked_address(), Value::Addr(IMDS.into()))),
        ));
        rules.push(refuse(
            at(listener).then(Match::ne(asked_port(), IMDS_PORT)),
        ));
    }
    // Only what connection tracking knows as diverted passes: of an invalid packet it knows nothing, so
    // that none of the refusals above matches it.
    let diverted = |listener| {
        at(listener)
            .then(Match::eq(asked_address(), Value::Addr(IMDS.into())))
            .then(Match::eq(asked_port(), IMDS_PORT))
    };
    let accept = diverted(attested).then(known_pair());
    rules.push(accept.then(Verdict::Accept));
    rules.push(drop(at(attested)));
    // An attested pod's address from elsewhere.
    rules.push(drop(
        at(unattested).then(owned_address()).then(unknown_pair()),
    ));
    // A packet that cannot be recorded, because the set is full, goes on to the next rule.
    let record = packet_record::record(diverted(unattested));
    rules.push(record.then(Verdict::Accept));
    rules.push(drop(at(unattested)));
    rules.push(drop(to_address(IMDS)));
    rules
}

/// What was not diverted (another port, another protocol, a connection older than the rules) must
/// not reach the platform.
fn forward() -> Vec<RuleSpec> {
    let reply = Match::eq(Field::CtDirection, Value::CtDirection(CtDirection::Reply));
    to_the_platform(reply)
}

/// Nobody is told that a listener is not there: while one daemon follows another, or none runs, the
/// caller's kernel sends its first packet again until a daemon listens. Resets of connections pass.
fn output(listeners: Listeners) -> Vec<RuleSpec> {
    let Listeners {
        attested,
        unattested,
    } = listeners;
    let from = |listener: SocketAddrV4| {
        let address = Value::Addr((*listener.ip()).into());
        RuleSpec::new()
            .then(Match::eq(Field::Ip4Saddr, address))
            .then(Match::eq(Field::TcpSport, listener.port()))
            .then(Match::eq(asked_address(), Value::Addr(IMDS.into())))
            .then(Match::eq(asked_port(), IMDS_PORT))
    };
    [attested, unattested]
        .map(|listener| drop(no_listener(from(listener))))
        .into()
}

/// Narrows to the kernel's answer to a SYN for a port where nobody listens. Only there has a reset the
/// sequence number 0 (RFC 9293, 3.10.7.1): that of a connection continues the numbers of its data.
fn no_listener(rule: RuleSpec) -> RuleSpec {
    let flags = (TcpFlags::RST | TcpFlags::ACK).bits();
    rule.then(Match::eq(Field::TcpFlags, flags))
        .then(Expr::Payload {
            dreg: Register::R0,
            base: PayloadBase::Transport,
            offset: 4,
            len: 4,
        })
        .then(Expr::Cmp {
            sreg: Register::R0,
            op: CmpOp::Eq,
            data: vec![0; 4],
        })
}

/// The node's own traffic passes untouched. It comes over the loopback where the metadata address is
/// the node's own, as it is in a lab.
fn of_the_node() -> RuleSpec {
    RuleSpec::new()
        .then(Match::eq(Field::Iifname, Value::Name("lo".to_owned())))
        .then(Verdict::Return)
}

/// Where the caller sent its first packet.
fn asked_address() -> Field {
    Field::CtDaddr(CtDirection::Original)
}

fn asked_port() -> Field {
    Field::CtDport(CtDirection::Original)
}

fn known_pair() -> Match {
    Match::eq(pair_field(), Value::set(CALLERS))
}

fn unknown_pair() -> Match {
    Match::ne(pair_field(), Value::set(CALLERS))
}

fn pair_field() -> Field {
    Field::Concat(vec![PacketField::Iif, PacketField::Ip4Saddr])
}

fn owned_address() -> Match {
    Match::eq(Field::Ip4Saddr, Value::set(ADDRESSES))
}
