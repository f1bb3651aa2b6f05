//! The armed faults of a running simulator.

use std::collections::HashMap;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{ArmedFault, Effect, Fault};
use crate::clock::Clock;
use crate::operation::Operation;

/// All armed faults, in the order they were armed: the first that fits strikes.
#[derive(Debug)]
pub(crate) struct FaultBook {
    clock: Clock,
    seed: u64,
    next_id: u64,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    id: u64,
    fault: Fault,
    since: Instant,
    struck: u64,
    chance: StdRng,
    /// Calls per resource since a write, for lags that count calls. Keyed by resource and the
    /// moment of the write, so a second write starts afresh.
    lagged: HashMap<(String, Instant), u64>,
}

/// The name and effect of a fault that has struck.
#[derive(Clone, Debug)]
pub(crate) struct Struck {
    pub(crate) name: String,
    pub(crate) effect: Effect,
}

impl FaultBook {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            seed,
            next_id: 1,
            armed: Vec::new(),
        }
    }

    /// Arms a fault and returns its number.
    pub(crate) fn arm(&mut self, fault: Fault) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let chance = StdRng::seed_from_u64(fault.seed.unwrap_or(self.seed.wrapping_add(id)));
        self.armed.push(Armed {
            id,
            fault,
            since: Instant::now(),
            struck: 0,
            chance,
            lagged: HashMap::new(),
        });
        id
    }

    /// Disarms one fault; whether it was there.
    pub(crate) fn disarm(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|a| a.id != id);
        self.armed.len() < before
    }

    /// Disarms all.
    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// All faults, spent ones too.
    pub(crate) fn list(&self) -> Vec<ArmedFault> {
        self.armed
            .iter()
            .map(|a| ArmedFault {
                id: a.id,
                struck: a.struck,
                spent: a.spent(self.clock),
                fault: a.fault.clone(),
            })
            .collect()
    }

    /// The fault that strikes this request before or after its service sees it.
    pub(crate) fn strike(&mut self, operation: Operation, resource: &str) -> Option<Struck> {
        self.take(operation, resource, |e| {
            !matches!(e, Effect::Async { .. } | Effect::Lag { .. })
        })
    }

    /// The course of the asynchronous operation this request starts, if a fault sets one.
    pub(crate) fn strike_async(&mut self, operation: Operation, resource: &str) -> Option<Struck> {
        self.take(operation, resource, |e| matches!(e, Effect::Async { .. }))
    }

    /// Whether something written at `born` is still unknown to this operation.
    pub(crate) fn lags(&mut self, operation: Operation, resource: &str, born: Instant) -> bool {
        self.lags_for(operation, resource, born, false)
    }

    /// As [`Self::lags`], for a request that did or did not say `principalType`.
    pub(crate) fn lags_for(
        &mut self,
        operation: Operation,
        resource: &str,
        born: Instant,
        typed: bool,
    ) -> bool {
        let clock = self.clock;
        let folded = resource.to_lowercase();
        self.armed.iter_mut().any(|armed| {
            let Effect::Lag {
                seconds,
                calls,
                spare_typed,
            } = armed.fault.effect
            else {
                return false;
            };
            if (spare_typed && typed) || !armed.aims_at(operation, &folded, clock) {
                return false;
            }
            let seen = armed
                .lagged
                .get(&(folded.clone(), born))
                .copied()
                .unwrap_or(0);
            let over =
                seconds.is_some_and(|s| clock.age(born) >= s) || calls.is_some_and(|c| seen >= c);
            if over || !armed.by_chance() {
                return false;
            }
            armed.struck += 1;
            armed.lagged.insert((folded.clone(), born), seen + 1);
            true
        })
    }

    fn take(
        &mut self,
        operation: Operation,
        resource: &str,
        kind: impl Fn(&Effect) -> bool,
    ) -> Option<Struck> {
        let clock = self.clock;
        let folded = resource.to_lowercase();
        self.armed
            .iter_mut()
            .filter(|a| kind(&a.fault.effect) && a.aims_at(operation, &folded, clock))
            .find_map(|a| a.by_chance().then(|| a.strike()))
    }
}

impl Armed {
    fn spent(&self, clock: Clock) -> bool {
        self.fault.count.is_some_and(|c| self.struck >= c)
            || self
                .fault
                .seconds
                .is_some_and(|s| clock.age(self.since) >= s)
    }

    fn aims_at(&self, operation: Operation, folded: &str, clock: Clock) -> bool {
        self.fault.operation.matches(operation)
            && self
                .fault
                .resource
                .as_ref()
                .is_none_or(|r| folded.contains(&r.to_lowercase()))
            && !self.spent(clock)
    }

    fn by_chance(&mut self) -> bool {
        self.fault.probability >= 1.0 || self.chance.random::<f64>() < self.fault.probability
    }

    fn strike(&mut self) -> Struck {
        self.struck += 1;
        let name = self
            .fault
            .name
            .clone()
            .unwrap_or_else(|| format!("fault-{}", self.id));
        Struck {
            name,
            effect: self.fault.effect.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> FaultBook {
        FaultBook::new(Clock::new(1.0), 7)
    }

    #[test]
    fn a_count_wears_a_fault_down_on_its_resource_only() {
        let mut book = book();
        book.arm(
            Fault::new(Operation::VmssPatch, Effect::Drop)
                .on("/Pool1")
                .times(2),
        );
        assert!(book.strike(Operation::VmssPatch, "/x/pool2").is_none());
        assert!(book.strike(Operation::VmssGet, "/x/pool1").is_none());
        assert!(book.strike(Operation::VmssPatch, "/x/pool1").is_some());
        assert!(book.strike(Operation::VmssPatch, "/x/POOL1").is_some());
        assert!(book.strike(Operation::VmssPatch, "/x/pool1").is_none());
        assert!(book.list()[0].spent);
    }

    #[test]
    fn a_duration_that_is_over_strikes_nobody() {
        let mut book = book();
        book.arm(Fault::new(Operation::ImdsToken, Effect::Drop).lasting(0.0));
        assert!(book.strike(Operation::ImdsToken, "vm").is_none());
    }

    #[test]
    fn chance_repeats_with_its_seed() {
        let run = || {
            let mut book = book();
            let fault = Fault {
                probability: 0.5,
                seed: Some(42),
                ..Fault::new(Operation::VmGet, Effect::Drop)
            };
            book.arm(fault);
            (0..64)
                .map(|_| book.strike(Operation::VmGet, "").is_some())
                .collect::<Vec<_>>()
        };
        let first = run();
        assert_eq!(first, run());
        assert!(first.contains(&true) && first.contains(&false));
    }

    #[test]
    fn a_lag_counts_calls_from_each_write() {
        let mut book = book();
        let lag = Effect::Lag {
            seconds: None,
            calls: Some(2),
            spare_typed: true,
        };
        book.arm(Fault::new(Operation::IdentityGet, lag));
        let mut born = Instant::now();
        for expected in [true, true, false] {
            assert_eq!(book.lags(Operation::IdentityGet, "/a", born), expected);
        }
        assert!(book.lags(Operation::IdentityGet, "/b", born));
        assert!(!book.lags_for(Operation::IdentityGet, "/c", born, true));
        born += std::time::Duration::from_nanos(1);
        assert!(book.lags(Operation::IdentityGet, "/a", born));
    }
}
