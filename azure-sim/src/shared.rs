//! What all services of one simulator share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arm::Buckets;
use crate::calls::CallLog;
use crate::clock::Clock;
use crate::faults::FaultBook;
use crate::options::{Options, SimError};
use crate::state::State;
use crate::tokens::Signer;

/// What all services of one simulator share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) page_size: usize,
    pub(crate) compute_seconds: f64,
    pub(crate) signer: Signer,
    state: Mutex<State>,
    faults: Mutex<FaultBook>,
    calls: Mutex<CallLog>,
    buckets: Mutex<Buckets>,
}

impl Shared {
    /// What the options say, with the state their world begins with.
    pub(crate) fn new(options: &Options) -> Result<Self, SimError> {
        let clock = Clock::new(options.speed);
        Ok(Self {
            clock,
            page_size: options.page_size.max(1),
            compute_seconds: options.compute_seconds,
            signer: Signer::generate()?,
            state: Mutex::new(State::new(&options.world, options.seed)?),
            faults: Mutex::new(FaultBook::new(clock, options.seed)),
            calls: Mutex::default(),
            buckets: Mutex::new(Buckets::new(clock)),
        })
    }

    /// The cloud's state. Take it before [`Self::faults`], never the other way round.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultBook> {
        lock(&self.faults)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, CallLog> {
        lock(&self.calls)
    }

    pub(crate) fn buckets(&self) -> MutexGuard<'_, Buckets> {
        lock(&self.buckets)
    }
}

/// A panic elsewhere leaves data that is still whole: every change here is a single step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
