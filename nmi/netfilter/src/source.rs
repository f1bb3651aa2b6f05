//! Whose packets the rules let through to the attested listener.

use std::net::Ipv4Addr;

/// An interface and the one source address that is accepted from it for the attested listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedSource {
    /// Index of the interface on which the inet family sees the packets: that of a pod, or the
    /// bridge that it is a port of.
    pub interface: u32,
    /// The source address.
    pub address: Ipv4Addr,
    /// The only port through which that address is accepted, when the interface is a bridge.
    pub port: Option<AllowedPort>,
}

/// A port of a bridge and the one source MAC that is accepted from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedPort {
    /// Index of the port's interface.
    pub interface: u32,
    /// The source MAC.
    pub mac: [u8; 6],
}
