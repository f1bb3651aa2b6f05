//! What all services of one simulator share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::calls::CallLog;
use crate::clock::Clock;
use crate::faults::FaultRegistry;
use crate::options::{Options, SimError};
use crate::state::State;
use crate::throttle::TokenBuckets;
use crate::tokens::TokenIssuer;

/// What all services of one simulator share. Each mutable part has a lock of its own, because a
/// service reads the state for the whole of a request and consults the faults meanwhile.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Items per page of a list; at least 1.
    pub(crate) page_size: usize,
    /// How long a change of a VM or scale set runs, in Azure's seconds.
    pub(crate) compute_seconds: f64,
    pub(crate) token_issuer: TokenIssuer,
    state: Mutex<State>,
    faults: Mutex<FaultRegistry>,
    calls: Mutex<CallLog>,
    buckets: Mutex<TokenBuckets>,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Result<Self, SimError> {
        let clock = Clock::new(options.speed);
        Ok(Self {
            clock,
            page_size: options.page_size.max(1),
            compute_seconds: options.compute_seconds,
            token_issuer: TokenIssuer::generate()?,
            state: Mutex::new(State::new(&options.seed, options.random_seed)?),
            faults: Mutex::new(FaultRegistry::new(clock, options.random_seed)),
            calls: Mutex::default(),
            buckets: Mutex::new(TokenBuckets::new(clock)),
        })
    }

    /// Lock order: a caller that needs both takes the state before [`Self::faults`]. The opposite
    /// order can deadlock.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultRegistry> {
        lock(&self.faults)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.calls)
    }

    pub(crate) fn buckets(&self) -> MutexGuard<'_, TokenBuckets> {
        lock(&self.buckets)
    }
}

/// Locks, also after a panic of another holder: every change under these locks is a single step,
/// so the data is whole even then.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
