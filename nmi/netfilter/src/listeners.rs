//! Where the rules send diverted connections.

use std::net::SocketAddrV4;

/// Where diverted connections go. Both listeners have the same, local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Takes connections whose packets all come from an [`AllowedSource`](crate::AllowedSource).
    pub attested: SocketAddrV4,
    /// Takes all others, to answer what needs no proof and to refuse the rest in words.
    pub unattested: SocketAddrV4,
}
