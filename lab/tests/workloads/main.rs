//! Nodes, pods and Flux's sources on the real API server, in one lab for all of these tests.
//! Needs root and the lab's programs; fails without them. The lab ends with this process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod containers;
mod java;
mod kubelet;
mod source;
mod space;
