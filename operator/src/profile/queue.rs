//! Reconciles profiles in the order of [`ReconcileQueue`].
//!
//! kube's controller has one limit for all objects and runs what is due in no order. Here it has no limit: a
//! reconciliation that may not begin yet puts its profile into the queue and ends at once, and the stream of
//! [`ProfileQueue::startable`] triggers it again when it may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use podid_core::moment::Moment;
use podid_core::object_key::ObjectKey;
use podid_core::profile::queue::{QueueEntry, QueueLimits, ReconcileQueue, Urgency};
use podid_crds::podid::PodIdentityProfile;
use podid_runtime::wait::sleep_until;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::gate::RequestBudget;

/// The profiles that wait and those that are reconciled. Clones share one state.
#[derive(Clone, Debug)]
pub struct ProfileQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<ReconcileQueue>,
    /// Something came or ended, so that a profile may be startable.
    changed: Notify,
    budget: RequestBudget,
}

/// A profile that is being reconciled; it has ended when this is dropped.
#[derive(Debug)]
pub(super) struct RunningProfile {
    queue: ProfileQueue,
    key: ObjectKey,
    urgency: Urgency,
}

impl RunningProfile {
    /// Why it was started.
    pub(super) fn urgency(&self) -> Urgency {
        self.urgency
    }
}

impl Drop for RunningProfile {
    fn drop(&mut self) {
        self.queue.end(&self.key);
    }
}

impl ProfileQueue {
    /// An empty queue of which at most this many profiles are reconciled at once, as far as the budget has room for their
    /// calls.
    #[must_use]
    pub fn new(places: u16, budget: RequestBudget) -> Self {
        Self(Arc::new(Shared {
            queue: Mutex::new(ReconcileQueue::new(QueueLimits::new(places))),
            changed: Notify::new(),
            budget,
        }))
    }

    /// The profiles that may begin, each when it may. There is one such stream at a time.
    pub(super) fn startable(
        &self,
    ) -> impl Stream<Item = ObjectRef<PodIdentityProfile>> + Send + 'static {
        stream::unfold(self.clone(), |queue| async move {
            loop {
                let due = match queue.start_next() {
                    Ok(key) => {
                        let profile = ObjectRef::new(&key.name).within(&key.namespace);
                        return Some((profile, queue));
                    }
                    Err(due) => due,
                };
                tokio::select! {
                    () = queue.0.changed.notified() => {}
                    () = sleep_until(due) => {}
                }
            }
        })
    }

    /// The profile that may begin now, or else when one may, if it is known.
    fn start_next(&self) -> Result<ObjectKey, Option<Instant>> {
        let clock = self.0.budget.clock();
        let mut queue = self.lock();
        self.0.budget.with(|budget, now| {
            let next = queue.start_next(now, budget);
            next.ok_or_else(|| {
                let wait = queue.next_start(now, budget);
                wait.map(|wait| clock.instant(now + wait))
            })
        })
    }

    /// Begins with a profile that may begin; another one waits from now on, and the controller has nothing to do
    /// for it, or is to come again.
    pub(super) fn begin(
        &self,
        key: &ObjectKey,
        entry: impl FnOnce() -> QueueEntry,
    ) -> Result<RunningProfile, Action> {
        if let Some(urgency) = self.lock().running(key) {
            return Ok(RunningProfile {
                queue: self.clone(),
                key: key.clone(),
                urgency,
            });
        }
        Err(self.wait(key, entry()))
    }

    /// The time on the clock of the queue.
    pub(super) fn now(&self) -> Moment {
        self.0.budget.clock().now()
    }

    /// Has a profile wait for its turn; what the controller is to do for it meanwhile.
    pub(super) fn wait(&self, key: &ObjectKey, entry: QueueEntry) -> Action {
        let wait = self.lock().push(key, entry, self.now());
        self.0.changed.notify_one();
        wait.map_or_else(Action::await_change, Action::requeue)
    }

    /// The reconciliation of a profile has ended, or does not begin because the profile is gone.
    pub(super) fn end(&self, key: &ObjectKey) {
        self.lock().end(key);
        self.0.changed.notify_one();
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    pub(super) fn lock(&self) -> MutexGuard<'_, ReconcileQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::{FutureExt, StreamExt};
    use podid_core::profile::queue::{AzurePlace, ProfileWork};

    use super::*;
    use crate::leader::Leadership;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("ns", name)
    }

    fn urgent() -> QueueEntry {
        QueueEntry {
            urgency: Urgency::Change,
            place: None,
            work: ProfileWork::Update,
            not_before: Moment::default(),
        }
    }

    fn queue(places: u16) -> ProfileQueue {
        let (_, leadership) = Leadership::fixed(true);
        ProfileQueue::new(places, RequestBudget::new(leadership))
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_room_in_the_budget_begins_by_itself() {
        let queue = queue(8);
        let reread = || QueueEntry {
            urgency: Urgency::Reread,
            place: Some(AzurePlace::new("s", "g")),
            work: ProfileWork::Update,
            not_before: Moment::default(),
        };
        let mut startable = pin!(queue.startable());
        for number in 0..100 {
            let key = key(&number.to_string());
            assert!(queue.begin(&key, reread).is_err(), "it waits first");
            let next = startable.next().await.expect("no end");
            assert_eq!(next.name, key.name);
            drop(queue.begin(&key, reread).expect("it may begin"));
        }
    }

    #[tokio::test]
    async fn a_profile_begins_when_another_has_ended() {
        let queue = queue(1);
        let mut startable = pin!(queue.startable());
        assert!(queue.begin(&key("a"), urgent).is_err(), "it waits first");
        let next = startable.next().await.expect("no end");
        assert_eq!(next, ObjectRef::new("a").within("ns"));
        let running = queue.begin(&key("a"), urgent).expect("it may begin");
        assert!(queue.begin(&key("b"), urgent).is_err());
        assert!(
            startable.next().now_or_never().is_none(),
            "no place is free"
        );
        drop(running);
        let next = startable.next().await.expect("no end");
        assert_eq!(next, ObjectRef::new("b").within("ns"));
        queue.end(&key("b"));
        assert!(queue.begin(&key("a"), urgent).is_err(), "it waits anew");
        let next = startable
            .next()
            .await
            .expect("the profile that is gone keeps no place");
        assert_eq!(next, ObjectRef::new("a").within("ns"));
    }
}
