//! The fields of a frame, and how rules compare them.

use nlink::netlink::nftables::{CmpOp, Expr, LookupExpr, MetaKey, PayloadBase, Register, RuleSpec};

/// A field of a frame: the header that it is in, its offset there and its length, both in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameField(PayloadBase, u32, u32);

pub(crate) const SOURCE_MAC: FrameField = FrameField(PayloadBase::LinkLayer, 6, 6);
/// As it was received: of a frame with a VLAN tag, the tag's.
pub(crate) const ETHERTYPE: FrameField = FrameField(PayloadBase::LinkLayer, 12, 2);
pub(crate) const IP_SOURCE: FrameField = FrameField(PayloadBase::Network, 12, 4);
/// For Ethernet and IPv4 (RFC 826).
pub(crate) const ARP_SENDER_MAC: FrameField = FrameField(PayloadBase::Network, 8, 6);
/// For Ethernet and IPv4 (RFC 826).
pub(crate) const ARP_SENDER: FrameField = FrameField(PayloadBase::Network, 14, 4);

pub(crate) const IPV4: [u8; 2] = [0x08, 0x00];
pub(crate) const IPV6: [u8; 2] = [0x86, 0xdd];
pub(crate) const ARP: [u8; 2] = [0x08, 0x06];
/// A tag of 802.1Q.
pub(crate) const VLAN: [u8; 2] = [0x81, 0x00];
/// An outer tag of 802.1ad.
pub(crate) const PROVIDER_VLAN: [u8; 2] = [0x88, 0xa8];

/// Frames whose content, behind at most one tag, is of this kind.
pub(crate) fn of_kind(kind: [u8; 2]) -> RuleSpec {
    compare(meta(RuleSpec::new(), MetaKey::Protocol), CmpOp::Eq, &kind)
}

/// Frames whose content, behind at most one tag, is neither ARP nor IP.
pub(crate) fn of_another_kind(rule: RuleSpec) -> RuleSpec {
    neither(meta(rule, MetaKey::Protocol))
}

/// Frames that are not plainly ARP or IP.
pub(crate) fn not_plain(rule: RuleSpec) -> RuleSpec {
    neither(rule.then(load(ETHERTYPE, Register::R0)))
}

fn neither(rule: RuleSpec) -> RuleSpec {
    [ARP, IPV4, IPV6]
        .iter()
        .fold(rule, |rule, kind| compare(rule, CmpOp::Neq, kind))
}

/// Narrows to frames through an interface of a set.
pub(crate) fn through(rule: RuleSpec, interfaces: &str) -> RuleSpec {
    meta(rule, MetaKey::Iif).then(Expr::Lookup(LookupExpr::new(interfaces, Register::R0)))
}

/// Narrows to frames through an interface that is not in a set.
pub(crate) fn not_through(rule: RuleSpec, interfaces: &str) -> RuleSpec {
    let lookup = LookupExpr::new(interfaces, Register::R0).invert();
    meta(rule, MetaKey::Iif).then(Expr::Lookup(lookup))
}

/// Narrows to frames through an interface of a kind, such as `veth`.
pub(crate) fn through_kind(rule: RuleSpec, kind: &str) -> RuleSpec {
    /// Longest name of an interface or a kind, with its end.
    const LENGTH: usize = 16;
    let mut name = kind.as_bytes().to_vec();
    name.resize(LENGTH, 0);
    compare(meta(rule, MetaKey::IifKind), CmpOp::Eq, &name)
}

/// Narrows to frames whose field is in a set.
pub(crate) fn known(rule: RuleSpec, field: FrameField, set: &str) -> RuleSpec {
    rule.then(load(field, Register::R0))
        .then(Expr::Lookup(LookupExpr::new(set, Register::R0)))
}

/// Narrows to frames whose interface and field are not a pair of a set.
pub(crate) fn unpaired(rule: RuleSpec, field: FrameField, pairs: &str) -> RuleSpec {
    meta(rule, MetaKey::Iif)
        .then(load(field, Register::Reg32_01))
        .then(Expr::Lookup(LookupExpr::new(pairs, Register::R0).invert()))
}

/// Narrows to frames whose field is something else than zero.
pub(crate) fn not_zero(rule: RuleSpec, field: FrameField) -> RuleSpec {
    let FrameField(_, _, length) = field;
    let zero = vec![0; length as usize];
    compare(rule.then(load(field, Register::R0)), CmpOp::Neq, &zero)
}

fn meta(rule: RuleSpec, key: MetaKey) -> RuleSpec {
    rule.then(Expr::Meta {
        dreg: Register::R0,
        key,
    })
}

fn compare(rule: RuleSpec, op: CmpOp, data: &[u8]) -> RuleSpec {
    rule.then(Expr::Cmp {
        sreg: Register::R0,
        op,
        data: data.to_vec(),
    })
}

fn load(FrameField(base, offset, len): FrameField, dreg: Register) -> Expr {
    Expr::Payload {
        dreg,
        base,
        offset,
        len,
    }
}
