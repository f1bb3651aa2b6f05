//! Which profile is reconciled next: what people change goes before what is only looked at again, no namespace
//! goes before all others, and nobody's slow calls take every place.

mod entry;
mod limits;
mod place;
mod rate_limit;
mod urgency;

use std::collections::BTreeMap;
use std::time::Duration;

pub use entry::{ProfileWork, QueueEntry};
pub use limits::QueueLimits;
pub use place::AzurePlace;
pub use urgency::{ProfileVersions, Urgency};

use crate::arm_budget::ArmBudget;
use crate::moment::Moment;
use crate::object_key::ObjectKey;
use limits::Running;
use rate_limit::RateLimit;

/// Requests of one profile that are followed at once, and the time in which one more is. Somebody who sets the
/// annotation in a loop would spend the reads that Azure allows for all profiles of a subscription.
const REQUESTS: u32 = 3;
const ONE_MORE_REQUEST: Duration = Duration::from_secs(10);

/// Profiles that wait to be reconciled, and those that are.
///
/// **Order.** Changes go before requests, these before retries, these before profiles that are read by themselves
/// though they are ready, and these before re-checks by lists. Within each, namespaces take turns: the n-th profile of
/// one waits for at most n profiles of each other namespace. Within a namespace the first to come is the
/// first to go. A profile is passed over while its place in Azure is at its limit, and while there is no room in
/// [`ArmBudget`] for the calls that it and those that run are expected to make: what began could not go on.
#[derive(Clone, Debug)]
pub struct ReconcileQueue {
    limits: QueueLimits,
    waiting: BTreeMap<Position, (ObjectKey, QueueEntry)>,
    positions: BTreeMap<ObjectKey, Position>,
    running: Running,
    /// Of each profile.
    requests: RateLimit<ObjectKey>,
    arrivals: u64,
    turns: BTreeMap<Urgency, Turns>,
}

/// Where in the queue a profile waits; the lowest is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    urgency: Urgency,
    turn: u64,
    arrival: u64,
}

/// The turns that were given to namespaces.
#[derive(Clone, Debug, Default)]
struct Turns {
    /// The turn of the profile that was started last.
    current: u64,
    /// The last turn of each namespace, where it is not over yet.
    last: BTreeMap<String, u64>,
}

impl Turns {
    fn next(&mut self, namespace: &str) -> u64 {
        let last = self.last.entry(namespace.to_owned()).or_default();
        *last = last.saturating_add(1).max(self.current);
        *last
    }

    fn begun(&mut self, turn: u64) {
        if turn > self.current {
            self.current = turn;
            self.last.retain(|_, last| *last >= turn);
        }
    }
}

impl ReconcileQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            waiting: BTreeMap::new(),
            positions: BTreeMap::new(),
            running: Running::default(),
            requests: RateLimit::new(REQUESTS, ONE_MORE_REQUEST),
            arrivals: 0,
            turns: BTreeMap::new(),
        }
    }

    /// A profile is to be reconciled. One that waits already keeps its position, unless it is more urgent now.
    /// Returns after which time it is to be given again, if it is requested more often than is followed.
    pub fn push(
        &mut self,
        profile: &ObjectKey,
        entry: QueueEntry,
        now: Moment,
    ) -> Option<Duration> {
        let position = self.positions.get(profile).copied();
        if let Some(position) = position.filter(|position| position.urgency <= entry.urgency) {
            if let Some((_, waiting)) = self.waiting.get_mut(&position) {
                let urgency = waiting.urgency;
                *waiting = QueueEntry { urgency, ..entry };
            }
            return None;
        }
        if entry.urgency == Urgency::Request {
            if let Some(wait) = self.requests.wait(profile, now) {
                return Some(wait);
            }
            self.requests.spend(profile, now);
        }
        position.and_then(|position| self.waiting.remove(&position));
        self.enqueue(profile, entry);
        None
    }

    fn enqueue(&mut self, profile: &ObjectKey, entry: QueueEntry) {
        let turns = self.turns.entry(entry.urgency).or_default();
        let position = Position {
            urgency: entry.urgency,
            turn: turns.next(&profile.namespace),
            arrival: self.arrivals,
        };
        self.arrivals += 1;
        self.positions.insert(profile.clone(), position);
        self.waiting.insert(position, (profile.clone(), entry));
    }

    /// The next profile to reconcile, which counts as running from now on; `None` when none may start now. One that runs
    /// already starts again when that has ended. `now` is on the clock of the budget.
    pub fn start_next(&mut self, now: Moment, budget: &ArmBudget) -> Option<ObjectKey> {
        let may_start = |entry: &QueueEntry| {
            self.running.has_room(&self.limits, entry) && self.wait(entry, now, budget).is_none()
        };
        let (position, _) = self
            .waiting
            .iter()
            .find(|(_, (profile, entry))| self.running(profile).is_none() && may_start(entry))?;
        let position = *position;
        let (profile, entry) = self.waiting.remove(&position)?;
        self.positions.remove(&profile);
        let turns = self.turns.entry(position.urgency).or_default();
        turns.begun(position.turn);
        self.running.start(profile.clone(), entry);
        Some(profile)
    }

    /// How long until a profile may start that waits for nothing but room in the budget.
    #[must_use]
    pub fn next_start(&self, now: Moment, budget: &ArmBudget) -> Option<Duration> {
        let waiting = self.waiting.values();
        let with_place = waiting.filter(|(_, entry)| self.running.has_room(&self.limits, entry));
        let waits = with_place.filter_map(|(_, entry)| self.wait(entry, now, budget));
        waits.min()
    }

    /// How long until its time has come and the budget has room for it; `None` if both are so.
    fn wait(&self, entry: &QueueEntry, now: Moment, budget: &ArmBudget) -> Option<Duration> {
        let until_its_time = entry.not_before.saturating_duration_since(now);
        let until_its_time = (!until_its_time.is_zero()).then_some(until_its_time);
        until_its_time.max(self.budget_wait(entry, now, budget))
    }

    /// How long until the budget has room for what the profile and those that run are expected to call.
    fn budget_wait(&self, entry: &QueueEntry, now: Moment, budget: &ArmBudget) -> Option<Duration> {
        let subscription = entry.place.as_ref().map(|place| &place.subscription)?;
        let promised = self.running.expected_at(subscription, entry.urgency).sum();
        let priority = entry.urgency.priority();
        budget.wait(
            Some(subscription),
            &entry.expected(),
            &promised,
            priority,
            now,
        )
    }

    /// Why the profile was started, if it has not ended.
    #[must_use]
    pub fn running(&self, profile: &ObjectKey) -> Option<Urgency> {
        self.running.urgency(profile)
    }

    /// The reconciliation of the profile has ended, or does not begin because the profile is gone.
    pub fn end(&mut self, profile: &ObjectKey) {
        self.running.end(profile);
    }

    /// How many profiles wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no profile waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests;
