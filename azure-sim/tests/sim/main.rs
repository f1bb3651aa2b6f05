//! The simulator from outside, over real sockets, against what Azure's contracts say.

mod admin;
mod compute;
mod data;
mod entra;
mod faults;
mod harness;
mod identity;
mod imds;
mod program;
mod roles;
