//! Which pod is behind an interface of the node: two facts that must agree.
//!
//! - The API server's: the pod with this uid has these addresses on this node.
//! - The kernel's: the network namespace of the processes in this pod's cgroup has these addresses,
//!   on a link whose other end is this interface of the node.
//!
//! Neither is enough alone: a neighbour can claim an address, and a network namespace has no name
//! that the API server knows.
//!
//! A pod may change its own end of its link. So its MAC is recorded when the
//! pod is first attested behind a bridge port, and must not be that of another pod or of the node (`macs`). An attestation
//! holds as long as the node's end of the link is what it was ([`ProvedLink`]).
//!
//! | file | holds |
//! |---|---|
//! | `facts` | the two facts as values |
//! | `compare` | the comparison for one pod |
//! | `error` | the ways in which they disagree, and their texts |
//! | `macs` | which MAC belongs behind which bridge port |
//! | `state` | one pod: its result, and when it is checked again |
//! | `confirmed_links` | how long the kernel's answer about a link counts |
//! | `packet_origins` | whether a connection that was opened before its pod was attested is the pod's |
//! | `attestations` | all pods of a node: which are attested, which must be checked, which are revoked |

mod attestations;
mod compare;
mod confirmed_links;
mod error;
mod facts;
mod macs;
mod packet_origins;
mod state;

pub use attestations::{Attestations, Standing};
pub use compare::compare;
pub use confirmed_links::{CONFIRMED_FOR, ConfirmedLinks, Question};
pub use error::AttestationError;
pub use facts::{
    BridgePort, Claim, KernelFacts, LinkChange, LinkPeer, Mac, NodeLink, PodEndpoint, PodLink,
    ProvedLink,
};
pub use packet_origins::PacketOrigins;
