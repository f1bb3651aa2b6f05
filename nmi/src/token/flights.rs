//! Questions that are under way, so that those who ask the same share one answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

/// A question under way. It goes on for as long as anybody waits for it.
pub(super) type Flight<A> = Shared<BoxFuture<'static, A>>;

/// See the module. One whose askers have all gone away is cancelled; it is removed here with the next one that starts.
/// Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Flights<Q, A: Clone>(Arc<Mutex<HashMap<Q, WeakShared<BoxFuture<'static, A>>>>>);

impl<Q, A: Clone> Default for Flights<Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Q: Eq + Hash, A: Clone + Send + Sync + 'static> Flights<Q, A> {
    /// The flight that answers this question, if there is one.
    pub(super) fn under_way(&self, question: &Q) -> Option<Flight<A>> {
        self.flights().get(question).and_then(WeakShared::upgrade)
    }

    /// The flight that answers this question: `ask`, unless another one was started before.
    pub(super) fn join_or_start(
        &self,
        question: Q,
        ask: impl Future<Output = A> + Send + 'static,
    ) -> Flight<A> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(&question).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = ask.boxed().shared();
        flights.retain(|_, flight| flight.upgrade().is_some());
        flights.extend(flight.downgrade().map(|weak| (question, weak)));
        flight
    }

    /// Nothing can panic while the lock is held.
    fn flights(&self) -> MutexGuard<'_, HashMap<Q, WeakShared<BoxFuture<'static, A>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
