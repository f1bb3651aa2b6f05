//! The words of podid: the Rust types of every Kubernetes kind it reads or writes.
//!
//! Two groups. [`podid`] holds the kinds people write for podid (`podid.dev/v1alpha1`);
//! [`aadpodidentity`] holds the predecessor's kinds (`aadpodidentity.k8s.io/v1`), kept
//! schema-compatible so that hand-written objects go on working. [`convert`] turns both into
//! the plain values that `podid-core` decides on. No client lives here.

// The schema derive writes a shadow struct per kind that no path reaches.
#![allow(unreachable_pub)]
// Several print columns of one kind have the same priority.
#![allow(clippy::duplicated_attributes)]

pub mod aadpodidentity;
pub mod check;
pub mod convert;
pub mod manifests;
pub mod podid;
mod policy_digest;

pub use policy_digest::policy_digest;
