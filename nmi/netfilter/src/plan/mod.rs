//! What the kernel should have, as a value: no I/O, printable, comparable.

use std::collections::BTreeSet;
use std::fmt;

use nlink::NftablesConfig;
use nlink::netlink::nftables::Family;

use crate::listeners::Listeners;
use crate::node_bridges::BridgeAddresses;
use crate::source::AllowedSource;
use crate::{TABLE, bridge_table, inet_table};

/// The whole of podid's rules on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesPlan {
    /// Where diverted connections go.
    pub listeners: Listeners,
    /// Which daemon's plan this is: each that starts on a node counts one up from the last. The plan
    /// of a daemon is no longer applied once a later daemon has taken over.
    pub generation: u32,
    /// The only sources whose packets reach the attested listener.
    pub sources: BTreeSet<AllowedSource>,
}

impl RulesPlan {
    /// Whether no daemon had rules on the node before.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.generation == 1
    }

    /// The plan in the types of the netlink library. What the node's own addresses on its bridges are
    /// is read anew every time, because they can change while the plan does not.
    pub(crate) fn config(&self, bridges: &BridgeAddresses) -> NftablesConfig {
        NftablesConfig::new()
            .table(TABLE, Family::Inet, |table| {
                inet_table::declare(table, self.listeners, self.generation, &self.sources)
            })
            // Also when no pod is on a bridge: frames may cross one to the platform before the first
            // pod is attested.
            .table(TABLE, Family::Bridge, |table| {
                bridge_table::declare(table, &self.sources, bridges)
            })
    }
}

/// As `nft list ruleset` would show it, without the elements' bytes and the addresses of the node's bridges.
impl fmt::Display for RulesPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in self.config(&BridgeAddresses::default()).tables() {
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
