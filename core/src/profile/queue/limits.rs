//! How many profiles are reconciled at once.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::QueueEntry;
use super::place::AzurePlace;
use super::urgency::Urgency;
use crate::arm_budget::{CallPriority, ExpectedRequests};
use crate::object_key::ObjectKey;

/// How many profiles are reconciled at once, in all and of each kind.
///
/// A call that Azure does not answer holds its place for minutes. So a group in which nothing answers leaves
/// half of the places to other groups, and a subscription a quarter of them to other subscriptions; what is ready
/// and retries have a quarter of them together, so that a group has places for changes too, whatever is looked at
/// there. The limits hold also while nobody else waits: a call that hangs gives no place back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QueueLimits {
    total: usize,
}

impl QueueLimits {
    /// Limits for this many places; there is at least one.
    #[must_use]
    pub fn new(total: u16) -> Self {
        Self {
            total: usize::from(total.max(1)),
        }
    }

    fn rechecks(self) -> usize {
        (self.total / 4).max(1)
    }

    fn group(self) -> usize {
        (self.total / 2).max(2).min(self.total)
    }

    fn subscription(self) -> usize {
        (self.total - self.total / 4).max(1)
    }
}

/// The profiles that are being reconciled.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(BTreeMap<ObjectKey, QueueEntry>);

impl Running {
    pub(super) fn has_room(&self, limits: &QueueLimits, entry: &QueueEntry) -> bool {
        let rests = |entry: &QueueEntry| entry.urgency >= Urgency::Retry;
        let without_person = self.count(rests);
        self.0.len() < limits.total
            && (!rests(entry) || without_person < limits.rechecks())
            && entry
                .place
                .as_ref()
                .is_none_or(|place| self.has_room_at(limits, place))
    }

    fn has_room_at(&self, limits: &QueueLimits, place: &AzurePlace) -> bool {
        let at = |fits: &dyn Fn(&AzurePlace) -> bool| {
            self.count(|running| running.place.as_ref().is_some_and(fits))
        };
        at(&|running| running == place) < limits.group()
            && at(&|running| running.subscription == place.subscription) < limits.subscription()
    }

    fn count(&self, fits: impl Fn(&QueueEntry) -> bool) -> usize {
        self.0.values().filter(|running| fits(running)).count()
    }

    /// What those are expected to call in a subscription that may use the same calls as one of this urgency: what
    /// somebody waits for does not make way for the rest.
    pub(super) fn expected_at(
        &self,
        subscription: &str,
        urgency: Urgency,
    ) -> impl Iterator<Item = ExpectedRequests> {
        let may_use = move |entry: &&QueueEntry| {
            let place = entry.place.as_ref();
            place.is_some_and(|place| place.subscription == subscription)
                && (urgency.priority() == CallPriority::Background
                    || entry.urgency.priority() == CallPriority::Awaited)
        };
        self.0.values().filter(may_use).map(QueueEntry::expected)
    }

    pub(super) fn start(&mut self, profile: ObjectKey, entry: QueueEntry) {
        self.0.insert(profile, entry);
    }

    pub(super) fn end(&mut self, profile: &ObjectKey) {
        self.0.remove(profile);
    }

    pub(super) fn urgency(&self, profile: &ObjectKey) -> Option<Urgency> {
        self.0.get(profile).map(|entry| entry.urgency)
    }
}
