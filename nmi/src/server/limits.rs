//! How many connections are served at a time, and how many of them for one pod, so that one pod
//! cannot keep the others out.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// A node has 110 pods by default and 250 at most; an SDK keeps a handful of connections.
const CONNECTIONS: usize = 4096;
/// Of one address.
const PER_ADDRESS: usize = 256;

/// Counts open connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<Ipv4Addr, usize>,
}

/// One open connection; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    limits: Limits,
    address: Ipv4Addr,
}

impl Limits {
    /// Room for a connection of `address`, if there is any.
    pub(crate) fn take(&self, address: Ipv4Addr) -> Option<Place> {
        let mut counts = self.counts();
        let own = counts.by_address.get(&address).copied().unwrap_or_default();
        if counts.all >= CONNECTIONS || own >= PER_ADDRESS {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, own + 1);
        Some(Place {
            limits: self.clone(),
            address,
        })
    }

    /// Nothing can panic while the lock is held.
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.limits.counts();
        counts.all -= 1;
        if let Some(own) = counts.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_place() {
        let limits = Limits::default();
        let (greedy, other) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let mut places: Vec<_> = (0..PER_ADDRESS)
            .filter_map(|_| limits.take(greedy))
            .collect();
        assert_eq!(places.len(), PER_ADDRESS);
        assert!(limits.take(greedy).is_none());
        assert!(limits.take(other).is_some());
        places.pop();
        assert!(limits.take(greedy).is_some());
    }

    #[test]
    fn nothing_is_left_of_closed_connections() {
        let limits = Limits::default();
        drop(limits.take(Ipv4Addr::LOCALHOST));
        assert!(limits.counts().by_address.is_empty());
        assert_eq!(limits.counts().all, 0);
    }
}
