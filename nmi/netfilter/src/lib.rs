//! The kernel's part of the node daemon: nftables rules that bring every pod's call for the
//! instance metadata service to the daemon, and drop packets that carry another pod's address.
//!
//! A [`RulesPlan`] is the whole of what the kernel should have, as a value that can be printed and
//! compared. [`Rules`] applies it in one transaction, so that no packet meets
//! anything in between. The rules stay when the process ends, however it ends; only
//! [`Rules::remove`] removes them.
//!
//! ```text
//!  pod ── its interface ─┬─ bridge table (where the interface is a bridge port):
//!                        │    a pod's address or MAC from another port      → dropped
//!                        │    the address or MAC of a bridge of the node    → dropped
//!                        │    from a pod's port: other addresses or MACs,
//!                        │    other protocols than ARP and IP, any tag      → dropped
//!                        │    from a veth or tun, and to the node:
//!                        │    a tag within a tag                            → dropped
//!                        │    169.254.169.254:80 from no attested pod       → its port recorded
//!                        │    169.254.169.254, 168.63.129.16 across it      → dropped
//!                        └─ inet table
//!                             divert   169.254.169.254:80, known pair       → attested listener
//!                                      169.254.169.254:80, any other        → unattested listener
//!                             input    attested listener, pair not known    → dropped
//!                                      unattested listener                  → its interface recorded,
//!                                                                             if that cannot be: dropped
//!                                      a listener's port, not diverted      → refused
//!                             forward  169.254.169.254, 168.63.129.16       → dropped
//!                             output   "nobody listens", to a diverted call → dropped, so that it waits
//! ```
//!
//! A *pair* is an interface index and an address ([`AllowedSource`]). The daemon allows a pair when it
//! has attested that both belong to one pod. So the kernel has checked every packet of a connection to
//! the attested listener to come from the pod that owns the address. A call that came before its pod was
//! attested is at the other listener; the *record* ([`PacketRecord`]) shows later whether all of its packets
//! were the pod's. Traffic of the node itself passes untouched.
//!
//! While nobody has these rules, because somebody flushed them, a *blackhole route* keeps what pods send by the node from
//! the metadata service; nftables does not know of it, and whatever empties nftables leaves it alone.
//!
//! Answers of the daemon go where the node's neighbour table and the bridge's forwarding table say. For
//! a pod on a bridge podid writes permanent entries into both, so that nobody can draw answers away.

mod announcements;
mod blackhole;
mod bridge_table;
mod closed;
mod error;
mod frame;
mod inet_table;
mod installed;
mod kernel;
mod listeners;
mod monitor;
mod node_bridges;
mod packet_record;
mod plan;
mod reply_paths;
mod rule;
mod set_elements;
mod source;

pub use announcements::drain;
pub use error::RulesError;
pub use installed::InstalledRules;
pub use kernel::{AppliedRules, Nft, Rules};
pub use listeners::Listeners;
pub use monitor::Monitor;
pub use node_bridges::BridgeMonitor;
pub use packet_record::{PacketRecord, RECORDED_FOR, RecordedPackets};
pub use plan::RulesPlan;
pub use source::{AllowedPort, AllowedSource};

use std::net::Ipv4Addr;

/// Address of the instance metadata service.
pub const IMDS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Port of the instance metadata service.
pub const IMDS_PORT: u16 = 80;
/// Address of the platform's wire server, which hands out certificates and goal states. It is the
/// platform's DNS server too, so port 53 stays open to pods.
pub const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// Name of podid's tables, in the families `inet` and `bridge`.
pub const TABLE: &str = "podid";
