//! The cloud's network, the nodes on it, the pods' links. Real kernel objects, set up over netlink;
//! no `ip` program is needed.
//!
//! ```text
//!   control-plane namespace ── bridge cloud0 10.200.0.1/24 ── the cloud's router
//!        │                          │                        lo 169.254.169.254, the metadata
//!        │                          │                        service of all nodes
//!   eth0 10.200.0.10/24        eth0 10.200.0.11/24          node namespaces
//!        │                          │
//!   pods 10.244.0.0/24         pods 10.244.1.0/24           one namespace per pod
//! ```
//!
//! None of these namespaces has a link to the machine's own, so nothing in the lab can send a
//! packet to the outside. Pod addresses are never translated: a server sees its caller as it is,
//! as on a cloud whose route table knows the pod ranges.

mod address;
mod cloud;
mod error;
mod fabric;
mod namespace;
mod node;
mod pod;
mod pool;

pub use address::PodRange;
pub use cloud::Cloud;
pub use error::Error;
pub use fabric::{Fabric, RunningNode, build};
pub use namespace::{Namespace, in_namespace};
pub use node::NodeNetwork;
pub use pod::{PodLink, host_link_name};
pub use pool::AddressPool;
