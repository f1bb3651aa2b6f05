//! Which pod of a node has which address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::{Error, PodRange};

/// The first pod address: `.0` is the network, `.1` the node.
const FIRST: u8 = 2;
/// The last pod address: `.255` is the broadcast address.
const LAST: u8 = 254;

/// The pod addresses of one node. An address is not allocated again before all others
/// were, so that an address in a log or a stale cache means one pod for as long as possible.
#[derive(Debug)]
pub struct AddressPool {
    range: PodRange,
    leases: BTreeMap<String, u8>,
    next: u8,
}

impl AddressPool {
    /// An empty pool for a node's range.
    #[must_use]
    pub fn new(range: PodRange) -> Self {
        Self {
            range,
            leases: BTreeMap::new(),
            next: FIRST,
        }
    }

    /// The address of `owner` (a pod uid): the one it has, or the next free one.
    ///
    /// # Errors
    /// [`Error::AddressesExhausted`] when none is free.
    pub fn allocate(&mut self, owner: &str) -> Result<Ipv4Addr, Error> {
        if let Some(host) = self.leases.get(owner) {
            return Ok(self.range.host(*host));
        }
        let host = self.free().ok_or(Error::AddressesExhausted(self.range))?;
        self.leases.insert(owner.to_owned(), host);
        self.next = successor(host);
        Ok(self.range.host(host))
    }

    /// Gives an owner's address back; does nothing when it has none.
    pub fn release(&mut self, owner: &str) {
        self.leases.remove(owner);
    }

    fn free(&self) -> Option<u8> {
        let mut host = self.next;
        for _ in FIRST..=LAST {
            if !self.leases.values().any(|taken| *taken == host) {
                return Some(host);
            }
            host = successor(host);
        }
        None
    }
}

/// The host number after this one, in a ring.
fn successor(host: u8) -> u8 {
    if host >= LAST { FIRST } else { host + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pods a range has room for.
    const ROOM: u8 = LAST - FIRST + 1;

    fn pool() -> AddressPool {
        AddressPool::new(PodRange::around(Ipv4Addr::new(10, 244, 1, 0)))
    }

    #[test]
    fn the_same_owner_keeps_its_address() {
        let mut pool = pool();
        let first = pool.allocate("a").unwrap();
        assert_eq!(pool.allocate("a").unwrap(), first);
        assert_ne!(pool.allocate("b").unwrap(), first);
    }

    #[test]
    fn a_released_address_rests_until_the_range_wraps() {
        let mut pool = pool();
        let first = pool.allocate("a").unwrap();
        pool.release("a");
        for n in 1..ROOM {
            let owner = format!("pod-{n}");
            assert_ne!(pool.allocate(&owner).unwrap(), first, "after {n} pods");
            pool.release(&owner);
        }
        assert_eq!(pool.allocate("last").unwrap(), first);
    }

    #[test]
    fn a_full_range_is_an_error_and_heals() {
        let mut pool = pool();
        for n in 0..ROOM {
            pool.allocate(&format!("pod-{n}")).unwrap();
        }
        let error = pool.allocate("one more").unwrap_err();
        assert!(error.to_string().contains("10.244.1.0/24"), "{error}");
        pool.release("pod-7");
        assert_eq!(
            pool.allocate("one more").unwrap(),
            Ipv4Addr::new(10, 244, 1, 9)
        );
    }
}
