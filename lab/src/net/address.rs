//! The addresses of a node's pods.

use std::fmt;
use std::net::Ipv4Addr;

/// The prefix length of a node's pod range.
pub(super) const POD_PREFIX: u8 = 24;

/// The pod range of one node, a /24. Its first address is the node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRange([u8; 3]);

impl PodRange {
    /// The range that contains `address`.
    #[must_use]
    pub fn around(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        Self([a, b, c])
    }

    /// The network address, `10.244.i.0`.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        self.host(0)
    }

    /// The node's address within the range, `10.244.i.1`.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        self.host(1)
    }

    /// The address with this last byte.
    #[must_use]
    pub fn host(self, last: u8) -> Ipv4Addr {
        let [a, b, c] = self.0;
        Ipv4Addr::new(a, b, c, last)
    }
}

/// As Kubernetes writes it: `10.244.1.0/24`.
impl fmt::Display for PodRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{POD_PREFIX}", self.network())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_kubernetes_does() {
        let range = PodRange::around(Ipv4Addr::new(10, 244, 3, 0));
        assert_eq!(range.to_string(), "10.244.3.0/24");
        assert_eq!(range.gateway(), Ipv4Addr::new(10, 244, 3, 1));
    }
}
