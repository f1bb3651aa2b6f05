//! How many calls to Azure may leave: [`ArmBudget`] with a clock, shared by all that make or plan calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podid_core::arm_budget::{ArmBudget, CallPriority, RequestKind};
use podid_core::moment::Moment;
use tokio::task::futures::TaskLocalFuture;

use crate::clock::MonotonicClock;
use crate::leader::Leadership;

tokio::task_local! {
    /// Said once for a piece of work and not with each call, as the clients of Azure know nothing of it.
    static PRIORITY: CallPriority;
}

/// The same work, whose calls to Azure have this priority. Without it somebody waits for them.
pub(crate) fn with_priority<F: Future>(
    priority: CallPriority,
    work: F,
) -> TaskLocalFuture<CallPriority, F> {
    PRIORITY.scope(priority, work)
}

/// Whether somebody waits for the calls of the work that is under way.
pub(crate) fn priority() -> CallPriority {
    PRIORITY
        .try_with(|priority| *priority)
        .unwrap_or(CallPriority::Awaited)
}

/// The calls to Azure that may still leave. Clones share one state.
///
/// It begins anew when this replica begins to lead: the one before may have used what Azure allows.
#[derive(Clone, Debug)]
pub struct RequestBudget {
    leadership: Leadership,
    clock: MonotonicClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    budget: ArmBudget,
    /// Whether this replica led when it was looked at last.
    led: bool,
}

impl RequestBudget {
    /// The budget of a replica that has made no calls yet.
    #[must_use]
    pub fn new(leadership: Leadership) -> Self {
        Self {
            leadership,
            clock: MonotonicClock::start(),
            state: Arc::default(),
        }
    }

    /// The clock of the budget.
    pub(crate) fn clock(&self) -> MonotonicClock {
        self.clock
    }

    /// Looks at the budget as it is now, or takes from it. `look` must not panic.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut ArmBudget, Moment) -> T) -> T {
        // Nothing here can panic while the lock is held, so a poisoned state is still a true one.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, leads) = (self.clock.now(), self.leadership.is_held());
        if leads && !state.led {
            state.budget = ArmBudget::started(now);
        }
        state.led = leads;
        look(&mut state.budget, now)
    }

    /// A call is about to leave; the time after which it may, if it may not now.
    pub(super) fn take(
        &self,
        subscription: Option<&str>,
        request: RequestKind,
    ) -> Result<(), Duration> {
        self.with(|budget, now| budget.take(subscription, request, priority(), now))
    }

    /// Azure refused a call with this code.
    pub(super) fn refused(
        &self,
        subscription: Option<&str>,
        request: RequestKind,
        code: &str,
        retry_after: Option<Duration>,
    ) {
        self.with(|budget, now| budget.refused(subscription, request, code, retry_after, now));
    }
}
