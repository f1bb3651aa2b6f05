//! What the kernel shows of pods and links, for the rules of `podid_core::attest`.
//!
//! | file | holds |
//! |---|---|
//! | `look` | one look at pods: their processes, network namespaces and links |
//! | `cgroup` | which pod a process belongs to |
//! | `node_links` | the links of the node |
//! | `link_query` | one link as it is now, asked before a token leaves |
//! | `link_monitor` | every change of a link, as the kernel announces it |

mod cgroup;
mod link_monitor;
mod link_query;
mod look;
mod node_links;

pub(crate) use link_monitor::LinkMonitor;
pub(crate) use link_query::{KernelLinkCheck, LinkCheck};
pub(crate) use look::{KernelInspector, LookError, PodInspector};
pub(crate) use podid_core::attest::{Claim, ProvedLink};
