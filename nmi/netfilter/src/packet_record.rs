//! Records through which interface each packet of a call came whose caller is not attested (yet).
//!
//! A container may call before the daemon knows its pod. When the pod is attested, the record shows
//! whether the connection that was opened too early is the pod's own. Each packet is recorded, because
//! somebody else can send packets with the same addresses and ports.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::Duration;

use nlink::netlink::nftables::config::DeclaredSetBuilder;
use nlink::netlink::nftables::{
    DynsetExpr, DynsetOp, Expr, Family, MetaKey, PayloadBase, Register, RuleSpec, SetElement,
    SetKeyType,
};
use nlink::netlink::{Connection, Nftables};
use tokio::sync::Mutex;

use crate::error::{CONFLICT_RETRIES, RulesError};
use crate::set_elements::elements;

/// Name of the set, in both tables. Its elements are an interface index, a source address and a source port.
pub(crate) const UNATTESTED: &str = "unattested";

/// How long a packet stays recorded.
pub const RECORDED_FOR: Duration = Duration::from_secs(120);

/// Most elements. Where callers invent more addresses and ports than this, packets of later ones are dropped.
const RECORDS: u32 = 16_384;

/// Most elements of a set that the kernel shows in one message, of which at least 3700 bytes are used and
/// some 60 by an element. A set that is shown in several messages may change between them, so that an
/// element is left out.
const ONE_MESSAGE: usize = 32;

/// How often a set is read that is shown in several messages. What any of the readings shows counts: each
/// would have to leave out the same element.
const READINGS: usize = 3;

/// The interfaces through which the recorded packets of one connection came, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedPackets {
    /// As the inet family saw them: pods' interfaces, or bridges.
    pub interfaces: BTreeSet<u32>,
    /// As the bridge family saw them: ports of bridges.
    pub ports: BTreeSet<u32>,
}

/// Declares the set.
pub(crate) fn set(set: DeclaredSetBuilder) -> DeclaredSetBuilder {
    set.key_type(SetKeyType::Concat(vec![
        SetKeyType::IfIndex,
        SetKeyType::Ipv4Addr,
        SetKeyType::InetService,
    ]))
    .dynamic()
    .timeout(RECORDED_FOR)
    .size(RECORDS)
}

/// Records the TCP packets that the rule matches. What follows in the rule is for those that could be recorded.
pub(crate) fn record(rule: RuleSpec) -> RuleSpec {
    let field = |dreg, base, offset, len| Expr::Payload {
        dreg,
        base,
        offset,
        len,
    };
    rule.then(Expr::Meta {
        dreg: Register::R0,
        key: MetaKey::Iif,
    })
    .then(field(Register::Reg32_01, PayloadBase::Network, 12, 4))
    .then(field(Register::Reg32_02, PayloadBase::Transport, 0, 2))
    .then(Expr::from(DynsetExpr::new(
        DynsetOp::Update,
        UNATTESTED,
        Register::R0,
    )))
}

/// Reads the record of the network namespace that this process runs in.
pub struct PacketRecord(Mutex<Connection<Nftables>>);

impl std::fmt::Debug for PacketRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PacketRecord")
    }
}

impl PacketRecord {
    /// Of the namespace this process runs in.
    ///
    /// # Errors
    /// When no netlink socket can be opened.
    pub fn here() -> Result<Self, RulesError> {
        let kernel = Connection::<Nftables>::new();
        let kernel = kernel.map_err(RulesError::from_kernel("open a netlink socket"))?;
        Ok(Self(Mutex::new(kernel)))
    }

    /// The recorded packets from this source address and port.
    ///
    /// # Errors
    /// When the kernel refuses to show the record, or when the ruleset changes again and again meanwhile.
    pub async fn from(&self, source: SocketAddrV4) -> Result<RecordedPackets, RulesError> {
        Ok(RecordedPackets {
            interfaces: self.interfaces(Family::Inet, source).await?,
            ports: self.interfaces(Family::Bridge, source).await?,
        })
    }

    async fn interfaces(
        &self,
        family: Family,
        source: SocketAddrV4,
    ) -> Result<BTreeSet<u32>, RulesError> {
        let kernel = self.0.lock().await;
        let first = read(&kernel, family).await?;
        let mut interfaces = interfaces_of(&first, source);
        if first.len() > ONE_MESSAGE {
            for _ in 1..READINGS {
                interfaces.append(&mut interfaces_of(&read(&kernel, family).await?, source));
            }
        }
        Ok(interfaces)
    }
}

/// The elements of the set in this family.
async fn read(
    kernel: &Connection<Nftables>,
    family: Family,
) -> Result<Vec<SetElement>, RulesError> {
    for _ in 0..=CONFLICT_RETRIES {
        match elements(kernel, UNATTESTED, family).await {
            // Somebody changed the ruleset meanwhile, so the answer may lack elements.
            Err(error) if error.is_dump_interrupted() => {}
            read => return read.map_err(RulesError::from_kernel("show its record")),
        }
    }
    Err(RulesError::Overtaken)
}

/// The interfaces of the elements with this source.
fn interfaces_of(elements: &[SetElement], source: SocketAddrV4) -> BTreeSet<u32> {
    let interface = |element: &SetElement| {
        let (interface, from) = element.key().split_at_checked(4)?;
        let is_from_source = from.get(..4)? == source.ip().octets()
            && from.get(4..6)? == source.port().to_be_bytes();
        let interface = u32::from_ne_bytes(interface.try_into().ok()?);
        is_from_source.then_some(interface)
    };
    elements.iter().filter_map(interface).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_elements_of_the_source_count() {
        let source = SocketAddrV4::new(Ipv4Addr::new(10, 244, 0, 2), 40_000);
        let element = |interface: u32, address: [u8; 4], port: u16| {
            let key = [&interface.to_ne_bytes()[..], &address, &port.to_be_bytes()];
            SetElement::new([key.concat(), vec![0, 0]].concat())
        };
        let own = source.ip().octets();
        let elements = [
            element(7, own, 40_000),
            element(8, own, 40_000),
            element(9, own, 40_001),
            element(10, [10, 244, 0, 3], 40_000),
            SetElement::new(vec![1, 2, 3]),
            SetElement::new(vec![0; 6]),
        ];
        assert_eq!(interfaces_of(&elements, source), [7, 8].into());
    }

    #[test]
    fn both_families_take_the_rule() {
        for family in [Family::Inet, Family::Bridge] {
            record(RuleSpec::new()).lower(family).unwrap();
        }
    }
}
