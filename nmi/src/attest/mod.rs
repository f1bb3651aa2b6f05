//! What the kernel shows of pods and links, for the rules of `podid_core::attest`.
//!
//! | file | holds |
//! |---|---|
//! | `look` | one look at pods: their processes, network namespaces and links |
//! | `cgroup` | which pod a process belongs to |
//! | `node_links` | the links of the node |
//! | `link_check` | whether a pod's link is what it was when the pod was attested, asked before a token leaves |
//! | `link_query` | one link as it is now |
//! | `link_announcements` | whether any link has changed since this was last asked |
//! | `link_monitor` | every change of a link, as the kernel announces it |

mod cgroup;
mod link_announcements;
mod link_check;
mod link_monitor;
mod link_query;
mod look;
mod node_links;

pub use link_check::{KernelLinkCheck, LinkCheck};
pub(crate) use link_monitor::LinkMonitor;
pub(crate) use look::{KernelInspector, LookError, PodInspector};
pub(crate) use podid_core::attest::{Claim, ProvedLink};
