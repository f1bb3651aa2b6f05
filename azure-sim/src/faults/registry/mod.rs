//! The armed faults of a running simulator.

use std::collections::HashMap;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::Clock;
use crate::faults::effect::Effect;
use crate::faults::fault::{ArmedFault, Fault};
use crate::operation::Operation;

/// All armed faults, in the order in which they were armed. The first match wins.
#[derive(Debug)]
pub(crate) struct FaultRegistry {
    clock: Clock,
    random_seed: u64,
    next_id: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    fault: Fault,
    armed_at: Instant,
    /// Number of calls it has applied to.
    matched: u64,
    random: StdRng,
    /// For lags limited by calls: the number of calls since a write, by resource and time of the
    /// write. A second write of the same resource starts at zero.
    lagging_calls: HashMap<(String, Instant), u64>,
}

/// Name and effect of a fault that applies to a call.
#[derive(Clone, Debug)]
pub(crate) struct MatchedFault {
    pub(crate) name: String,
    pub(crate) effect: Effect,
}

impl FaultRegistry {
    pub(crate) fn new(clock: Clock, random_seed: u64) -> Self {
        Self {
            clock,
            random_seed,
            next_id: 1,
            entries: Vec::new(),
        }
    }

    /// Arms a fault and returns its number.
    pub(crate) fn arm(&mut self, fault: Fault) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let random = StdRng::seed_from_u64(
            fault
                .random_seed
                .unwrap_or(self.random_seed.wrapping_add(id)),
        );
        self.entries.push(Entry {
            id,
            fault,
            armed_at: Instant::now(),
            matched: 0,
            random,
            lagging_calls: HashMap::new(),
        });
        id
    }

    /// Disarms one fault. False if there is none of this number.
    pub(crate) fn disarm(&mut self, id: u64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.id != id);
        self.entries.len() < before
    }

    /// Disarms all faults.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// All faults, spent ones included.
    pub(crate) fn list(&self) -> Vec<ArmedFault> {
        self.entries
            .iter()
            .map(|e| ArmedFault {
                id: e.id,
                matched: e.matched,
                spent: e.spent(self.clock),
                fault: e.fault.clone(),
            })
            .collect()
    }

    /// The fault that replaces, delays or alters the answer to this call.
    pub(crate) fn match_call(
        &mut self,
        operation: Operation,
        resource: &str,
    ) -> Option<MatchedFault> {
        self.take(operation, resource, |e| {
            !matches!(e, Effect::Async { .. } | Effect::Lag { .. })
        })
    }

    /// The fault that sets the course of the asynchronous operation this call starts.
    pub(crate) fn match_async_operation(
        &mut self,
        operation: Operation,
        resource: &str,
    ) -> Option<MatchedFault> {
        self.take(operation, resource, |e| matches!(e, Effect::Async { .. }))
    }

    /// Whether a fault hides from this call what was written at `written_at`.
    pub(crate) fn lags(
        &mut self,
        operation: Operation,
        resource: &str,
        written_at: Instant,
    ) -> bool {
        self.lags_for(operation, resource, written_at, false)
    }

    /// The same for a request with or without a `principalType`.
    pub(crate) fn lags_for(
        &mut self,
        operation: Operation,
        resource: &str,
        written_at: Instant,
        typed: bool,
    ) -> bool {
        let clock = self.clock;
        let resource = resource.to_lowercase();
        self.entries.iter_mut().any(|entry| {
            let Effect::Lag { spare_typed, .. } = entry.fault.effect else {
                return false;
            };
            !(spare_typed && typed)
                && entry.selects(operation, &resource, clock)
                && entry.hides(&resource, written_at, clock)
        })
    }

    fn take(
        &mut self,
        operation: Operation,
        resource: &str,
        kind: impl Fn(&Effect) -> bool,
    ) -> Option<MatchedFault> {
        let clock = self.clock;
        let resource = resource.to_lowercase();
        self.entries
            .iter_mut()
            .filter(|e| kind(&e.fault.effect) && e.selects(operation, &resource, clock))
            .find_map(|e| e.draw().then(|| e.matched()))
    }
}

impl Entry {
    fn spent(&self, clock: Clock) -> bool {
        self.fault.count.is_some_and(|c| self.matched >= c)
            || self
                .fault
                .seconds
                .is_some_and(|s| clock.age(self.armed_at) >= s)
    }

    /// Whether the fault is for such a call; `resource` is in lower case.
    fn selects(&self, operation: Operation, resource: &str, clock: Clock) -> bool {
        self.fault.operation.matches(operation)
            && self
                .fault
                .resource
                .as_ref()
                .is_none_or(|r| resource.contains(&r.to_lowercase()))
            && !self.spent(clock)
    }

    /// Whether a lag still hides what was written at `written_at`. Counts the call if so.
    fn hides(&mut self, resource: &str, written_at: Instant, clock: Clock) -> bool {
        let Effect::Lag { seconds, calls, .. } = self.fault.effect else {
            return false;
        };
        let key = (resource.to_owned(), written_at);
        let seen = self.lagging_calls.get(&key).copied().unwrap_or(0);
        let over =
            seconds.is_some_and(|s| clock.age(written_at) >= s) || calls.is_some_and(|c| seen >= c);
        if over || !self.draw() {
            return false;
        }
        self.matched += 1;
        self.lagging_calls.insert(key, seen + 1);
        true
    }

    /// Whether the fault applies this time, by its probability.
    fn draw(&mut self) -> bool {
        self.fault.probability >= 1.0 || self.random.random::<f64>() < self.fault.probability
    }

    /// Counts a match.
    fn matched(&mut self) -> MatchedFault {
        self.matched += 1;
        let name = self
            .fault
            .name
            .clone()
            .unwrap_or_else(|| format!("fault-{}", self.id));
        MatchedFault {
            name,
            effect: self.fault.effect.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
