//! Permits to ask the metadata service, which allows few requests for a whole node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use podid_core::imds_limit::{FairQueue, Ticket};
use podid_core::moment::Moment;
use podid_runtime::wait::sleep_until;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// For whom the service is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PermitOwner {
    /// A pod that waits for the answer, by uid.
    Pod(String),
    /// The cache, while nobody waits.
    Cache,
}

/// Gives permits by the rules of [`FairQueue`]. Clones share the limits.
#[derive(Clone, Debug)]
pub(super) struct ImdsLimiter {
    start: Instant,
    queue: Arc<Mutex<Queue>>,
    /// When time alone allows another request.
    next: Arc<watch::Sender<Option<Instant>>>,
}

#[derive(Debug, Default)]
struct Queue {
    fair: FairQueue<PermitOwner>,
    waiting: BTreeMap<Ticket, oneshot::Sender<ImdsPermit>>,
}

/// Allows one request. To be dropped when the request has ended.
#[derive(Debug)]
pub(super) struct ImdsPermit {
    limiter: ImdsLimiter,
    owner: PermitOwner,
}

/// A place in the queue; dropping it leaves the queue.
struct Place<'a> {
    limiter: &'a ImdsLimiter,
    ticket: Ticket,
}

impl Default for ImdsLimiter {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            queue: Arc::default(),
            next: Arc::default(),
        }
    }
}

impl ImdsLimiter {
    /// Waits for a permit. Dropping the future leaves the queue.
    pub(super) async fn permit(&self, owner: PermitOwner) -> ImdsPermit {
        let (sender, mut permit) = oneshot::channel();
        let _place = self.enter(owner, sender);
        let mut next = self.next.subscribe();
        self.give();
        loop {
            let at = *next.borrow_and_update();
            tokio::select! {
                biased;
                Ok(permit) = &mut permit => return permit,
                _ = next.changed() => {}
                () = sleep_until(at) => self.give(),
            }
        }
    }

    fn enter(&self, owner: PermitOwner, sender: oneshot::Sender<ImdsPermit>) -> Place<'_> {
        let mut queue = self.queue();
        let ticket = queue.fair.enter(owner);
        queue.waiting.insert(ticket, sender);
        Place {
            limiter: self,
            ticket,
        }
    }

    /// Gives all permits that may be given now.
    fn give(&self) {
        let now = Moment::after_start(self.start.elapsed());
        let mut unclaimed = Vec::new();
        let mut queue = self.queue();
        while let Some((ticket, owner)) = queue.fair.permit(now) {
            let permit = ImdsPermit {
                limiter: self.clone(),
                owner,
            };
            match queue.waiting.remove(&ticket) {
                Some(sender) => unclaimed.extend(sender.send(permit).err()),
                None => unclaimed.push(permit),
            }
        }
        let next = queue.fair.next();
        let next = next.map(|next| self.start + next.since_start());
        self.next.send_if_modified(|known| {
            let changed = *known != next;
            *known = next;
            changed
        });
        // Before permits are dropped, because that needs the lock.
        drop(queue);
        drop(unclaimed);
    }

    /// Nothing can panic while the lock is held.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.limiter.queue();
        queue.fair.leave(self.ticket);
        queue.waiting.remove(&self.ticket);
    }
}

impl Drop for ImdsPermit {
    fn drop(&mut self) {
        self.limiter.queue().fair.ended(&self.owner);
        self.limiter.give();
    }
}
