//! The kernel's part of the node daemon: nftables rules that bring every pod's call for the
//! instance metadata service to the daemon, and let nobody speak with another pod's address.
//!
//! A [`Plan`] is the whole of what the kernel should hold, as a value that can be printed and
//! compared. [`Rules`] makes the kernel hold it, in one transaction, and nothing in between can be
//! observed by a packet. The rules stay when the process ends, however it ends; only
//! [`Rules::remove`] takes them away.
//!
//! ```text
//!  pod ── its interface ─┬─ bridge table (where the interface is a bridge port):
//!                        │    a pod's address or MAC from another port      → dropped
//!                        │    the address or MAC of a bridge of the node    → dropped
//!                        │    from a pod's port: other addresses or MACs,
//!                        │    other protocols than ARP and IP, any tag      → dropped
//!                        │    from a veth or tun, and to the node:
//!                        │    a tag within a tag                            → dropped
//!                        │    169.254.169.254, 168.63.129.16 across it      → dropped
//!                        └─ inet table
//!                             divert   169.254.169.254:80, known pair       → attested listener
//!                                      169.254.169.254:80, any other        → unattested listener
//!                             input    attested listener, pair not known    → dropped
//!                                      a listener's port, not diverted      → refused
//!                             forward  169.254.169.254, 168.63.129.16       → dropped
//! ```
//!
//! A *pair* is an interface index and an address: the two facts that were proved together for one
//! pod. So whoever is accepted on the attested listener has, packet by packet, been checked by the
//! kernel to be the pod that owns the address. Traffic of the node itself passes untouched.
//!
//! What the daemon answers goes the way the node's neighbour table and the bridge's forwarding table
//! say. For a pod on a bridge both are written down, so that nobody can draw its answers away.

mod bridges;
mod caller;
mod frame;
mod guards;
mod held;
mod kernel;
mod monitor;
mod plan;
mod replies;

pub use bridges::BridgeMonitor;
pub use caller::{BridgePort, Caller};
pub use kernel::{Nft, Outcome, Rules, RulesError};
pub use monitor::Monitor;
pub use plan::{Listeners, Plan};

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
