//! Where the rules send diverted connections.

use std::net::SocketAddrV4;

/// Where diverted connections go. Both listeners have the same, local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Takes connections whose packets all come from an [`AllowedSource`](crate::AllowedSource).
    pub attested: SocketAddrV4,
    /// Takes all others: requests that need no attested caller are answered, the rest are refused
    /// with an error that says why.
    pub unattested: SocketAddrV4,
}
