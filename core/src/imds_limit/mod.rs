//! Who may ask the metadata service next. It allows few requests for a whole node, and one pod must not use them up.
//!
//! Every owner of requests has a queue. Permits are given to the owners in turn, one request each, within limits for
//! all together and for each one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::moment::Moment;

/// Most requests at a time for the whole node (Azure Instance Metadata Service docs, "Rate limiting").
pub const AT_ONCE: usize = 5;
/// Most requests within [`WINDOW`] for the whole node (the same).
pub const IN_WINDOW: usize = 20;
/// A second, and a little more: requests come closer together on their way.
pub const WINDOW: Duration = Duration::from_millis(1100);
/// Most requests at a time for one owner, so that one whose requests hang leaves room for others.
pub const AT_ONCE_OF_ONE: usize = 3;
/// Most requests within [`WINDOW`] for one owner.
pub const IN_WINDOW_OF_ONE: usize = 10;

/// Names one request that waits for a permit. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The requests that wait, and those that were permitted a short while ago. `O` names an owner.
#[derive(Clone, Debug)]
pub struct FairQueue<O> {
    /// Owners with requests that wait, the next one first.
    waiting: VecDeque<(O, VecDeque<Ticket>)>,
    /// Requests under way, by owner.
    running: BTreeMap<O, usize>,
    /// When requests were permitted, and whose they were, the oldest first; those of the last [`WINDOW`] only.
    started: VecDeque<(Moment, O)>,
    last_ticket: u64,
}

impl<O> Default for FairQueue<O> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            started: VecDeque::new(),
            last_ticket: 0,
        }
    }
}

impl<O: Clone + Ord> FairQueue<O> {
    /// Adds a request of `owner`, behind its others.
    pub fn enter(&mut self, owner: O) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        match self.waiting.iter_mut().find(|(other, _)| *other == owner) {
            Some((_, queue)) => queue.push_back(ticket),
            None => self.waiting.push_back((owner, [ticket].into())),
        }
        ticket
    }

    /// Removes a request that does not wait any longer.
    pub fn leave(&mut self, ticket: Ticket) {
        for (_, queue) in &mut self.waiting {
            queue.retain(|other| *other != ticket);
        }
        self.waiting.retain(|(_, queue)| !queue.is_empty());
    }

    /// The next request that may be sent now, and its owner; it counts as under way from now on.
    pub fn permit(&mut self, now: Moment) -> Option<(Ticket, O)> {
        self.forget_before(now);
        if self.under_way() >= AT_ONCE || self.started.len() >= IN_WINDOW {
            return None;
        }
        let allowed = |(owner, _): &(O, VecDeque<Ticket>)| {
            self.running_of(owner) < AT_ONCE_OF_ONE
                && self.started_of(owner).count() < IN_WINDOW_OF_ONE
        };
        let at = self.waiting.iter().position(allowed)?;
        let (owner, mut queue) = self.waiting.remove(at)?;
        let ticket = queue.pop_front()?;
        if !queue.is_empty() {
            self.waiting.push_back((owner.clone(), queue));
        }
        *self.running.entry(owner.clone()).or_default() += 1;
        self.started.push_back((now, owner.clone()));
        Some((ticket, owner))
    }

    /// A request of `owner` that was permitted has ended.
    pub fn ended(&mut self, owner: &O) {
        if let Some(running) = self.running.get_mut(owner) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(owner);
            }
        }
    }

    /// When to call [`permit`](Self::permit) next although no request ends meanwhile; `None` when time alone
    /// permits nothing.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        if self.under_way() >= AT_ONCE {
            return None;
        }
        let all = self.nth_newest(self.started.iter(), IN_WINDOW);
        let each = self.waiting.iter().filter_map(|(owner, _)| {
            let free = self.running_of(owner) < AT_ONCE_OF_ONE;
            free.then(|| self.nth_newest(self.started_of(owner), IN_WINDOW_OF_ONE))
        });
        each.min().map(|one| one.max(all))
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.iter().map(|(_, queue)| queue.len()).sum()
    }

    /// How many requests are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.running.values().sum()
    }

    fn running_of(&self, owner: &O) -> usize {
        self.running.get(owner).copied().unwrap_or_default()
    }

    fn started_of(&self, owner: &O) -> impl DoubleEndedIterator<Item = &(Moment, O)> {
        self.started.iter().filter(move |(_, other)| other == owner)
    }

    /// When the newest `count` of these are fewer within the window; the start when they are fewer now.
    fn nth_newest<'a>(
        &'a self,
        started: impl DoubleEndedIterator<Item = &'a (Moment, O)>,
        count: usize,
    ) -> Moment {
        let oldest = started.rev().nth(count - 1);
        oldest.map_or(Moment::default(), |(at, _)| *at + WINDOW)
    }

    fn forget_before(&mut self, now: Moment) {
        while let Some((at, _)) = self.started.front() {
            if *at + WINDOW > now {
                break;
            }
            self.started.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
