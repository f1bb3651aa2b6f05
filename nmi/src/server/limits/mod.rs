//! Limits of open connections per pod, so that one pod cannot use up the slots of the others.
//!
//! Every attested pod has a few slots of its own, whatever others do. More come out of a pool
//! that all share; when that is empty, an idle connection of the pod that has most is ended. Callers that are
//! not attested share a small pool of their own, because addresses can be invented.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// For attested pods. An SDK keeps a handful of connections, and a node has 110 pods by default.
/// Memory follows from these numbers and from the longest head: at most 2.5 MB for one pod.
const ATTESTED: Budget = Budget {
    reserved: 8,
    most: 128,
    shared: 512,
};
/// For everybody else, by address.
const UNATTESTED: Budget = Budget {
    reserved: 0,
    most: 32,
    shared: 128,
};

/// What the owners of one pool may have open.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Slots of each owner that nobody else can take.
    reserved: usize,
    /// Most slots of one owner.
    most: usize,
    /// Slots of all owners together beyond their reserved ones.
    shared: usize,
}

/// Who a connection is counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionOwner {
    /// Of an attested pod, by uid.
    Pod(String),
    /// Of a caller at this address that is not attested.
    Unattested(Ipv4Addr),
}

impl ConnectionOwner {
    fn budget(&self) -> Budget {
        match self {
            Self::Pod(_) => ATTESTED,
            Self::Unattested(_) => UNATTESTED,
        }
    }

    fn shares_a_pool_with(&self, other: &Self) -> bool {
        matches!(self, Self::Pod(_)) == matches!(other, Self::Pod(_))
    }
}

/// Counts open connections. Clones share the numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionLimits(Arc<Mutex<OpenConnections>>);

#[derive(Debug, Default)]
struct OpenConnections {
    open: HashMap<ConnectionOwner, BTreeMap<u64, OpenConnection>>,
    /// Rises with every connection and every request, so that a smaller number is longer ago.
    moment: u64,
}

#[derive(Debug)]
struct OpenConnection {
    /// Since when no request is being answered; `None` while one is.
    idle: Option<u64>,
    /// Dropping it ends the connection.
    _end: oneshot::Sender<()>,
}

/// One open connection; dropping it frees its slot.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    limits: ConnectionLimits,
    owner: ConnectionOwner,
    id: u64,
}

/// A slot, and what was needed to get it.
#[derive(Debug)]
pub(crate) struct AcquiredSlot {
    pub(crate) slot: ConnectionSlot,
    /// Resolves when the connection must end to make room for another.
    pub(crate) ended: oneshot::Receiver<()>,
    /// Whether an idle connection was ended for it.
    pub(crate) made_room: bool,
}

impl ConnectionLimits {
    /// A slot for a connection of `owner`, if one is free or an idle connection can be ended for it.
    pub(crate) fn acquire(&self, owner: ConnectionOwner) -> Option<AcquiredSlot> {
        let mut connections = self.connections();
        let made_room = !connections.has_room(&owner);
        if made_room && !connections.make_room(&owner) {
            return None;
        }
        let id = connections.next_moment();
        let (end, ended) = oneshot::channel();
        let open = OpenConnection {
            idle: Some(id),
            _end: end,
        };
        connections
            .open
            .entry(owner.clone())
            .or_default()
            .insert(id, open);
        drop(connections);
        let slot = ConnectionSlot {
            limits: self.clone(),
            owner,
            id,
        };
        Some(AcquiredSlot {
            slot,
            ended,
            made_room,
        })
    }

    /// Nothing can panic while the lock is held.
    fn connections(&self) -> MutexGuard<'_, OpenConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    fn count(&self, owner: &ConnectionOwner) -> usize {
        self.open.get(owner).map_or(0, BTreeMap::len)
    }

    fn has_room(&self, owner: &ConnectionOwner) -> bool {
        let (own, budget) = (self.count(owner), owner.budget());
        own < budget.reserved || (own < budget.most && self.shared(owner) < budget.shared)
    }

    /// How many slots of the owner's pool are in use beyond reserved ones.
    fn shared(&self, owner: &ConnectionOwner) -> usize {
        let reserved = owner.budget().reserved;
        let pool = self.open.iter();
        pool.filter(|(other, _)| owner.shares_a_pool_with(other))
            .map(|(_, open)| open.len().saturating_sub(reserved))
            .sum()
    }

    /// Ends the longest idle connection of the owner that has most, so that the pool comes to be shared
    /// evenly; of `owner` itself when it has all it may have.
    fn make_room(&mut self, owner: &ConnectionOwner) -> bool {
        let (own, most) = (self.count(owner), owner.budget().most);
        let candidates = self.open.iter().filter(|(other, open)| {
            *other == owner || (own < most && owner.shares_a_pool_with(other) && open.len() > own)
        });
        let idle = candidates.filter_map(|(other, open)| {
            let (id, since) = longest_idle(open)?;
            Some((open.len(), std::cmp::Reverse(since), other.clone(), id))
        });
        let chosen = idle.max_by_key(|(count, since, _, _)| (*count, *since));
        let Some((_, _, other, id)) = chosen else {
            return false;
        };
        self.close(&other, id);
        true
    }

    fn close(&mut self, owner: &ConnectionOwner, id: u64) {
        if let Some(open) = self.open.get_mut(owner) {
            open.remove(&id);
            if open.is_empty() {
                self.open.remove(owner);
            }
        }
    }
}

fn longest_idle(open: &BTreeMap<u64, OpenConnection>) -> Option<(u64, u64)> {
    let idle = open.iter().filter_map(|(id, one)| Some((*id, one.idle?)));
    idle.min_by_key(|(_, since)| *since)
}

impl ConnectionSlot {
    /// Says whether a request is being answered on the connection.
    pub(crate) fn set_idle(&self, idle: bool) {
        let mut connections = self.limits.connections();
        let moment = connections.next_moment();
        let own = connections.open.get_mut(&self.owner);
        if let Some(open) = own.and_then(|open| open.get_mut(&self.id)) {
            open.idle = idle.then_some(moment);
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.limits.connections().close(&self.owner, self.id);
    }
}

#[cfg(test)]
mod tests;
