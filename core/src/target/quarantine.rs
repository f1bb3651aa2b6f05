//! Identities that Azure refuses, kept apart from the others and tried again with back-off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::arm::ArmId;
use crate::backoff::{Backoff, Jitter};

use super::failure::TargetFailure;
use super::parts::MAX_CHANGES;
use crate::moment::Moment;

/// Waits before a refused identity is tried again: short enough for somebody who has corrected it, long
/// enough not to use up the calls that Azure allows for one VM or scale set.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
/// Shortest time between two tries on request: whoever may annotate a profile must not be able to use up
/// the calls that Azure allows for a VM or scale set.
pub const BETWEEN_REQUESTS: Duration = Duration::from_secs(2);

/// Shortest time between two tries of identities whose refusal is believed, for all of a VM or scale set together.
const BETWEEN_TRIES: Duration = Duration::from_secs(30);
/// How long identities that were refused at different times are waited for, so that they are tried together.
const TRIED_TOGETHER: Duration = Duration::from_secs(5);

/// The refused identities of one VM or scale set.
///
/// One whose refusal is not believed yet is tried again soon, whatever that costs: its pods wait for the truth. So
/// is one for which a person asks, or that something may have mended. All others share their tries, of which there
/// is one in [`BETWEEN_TRIES`] and each is one change: of all that are due, and then of the one that is due for
/// longest, in turn. The former finds at once that all are mended, the latter that one is.
#[derive(Clone, Debug, Default)]
pub(super) struct Quarantine {
    held: BTreeMap<ArmId, Quarantined>,
    /// The identities of the try that the comparison under way may make.
    tried: BTreeSet<ArmId>,
    /// Whether the last try was of all that were due.
    tried_all: bool,
    /// When the next try may be made.
    next_try: Moment,
}

#[derive(Clone, Debug)]
struct Quarantined {
    attempts: u32,
    since: Moment,
    until: Moment,
    failure: TargetFailure,
    /// Whether it may have been mended since it was refused.
    may_be_mended: bool,
}

impl Quarantined {
    /// Whether it waits for a try that it shares with others.
    fn shares(&self) -> bool {
        self.failure.permanent().is_some() && !self.may_be_mended
    }
}

impl Quarantine {
    /// A comparison begins: settles which identities it may try again.
    pub(super) fn begin_comparison(&mut self, now: Moment) {
        self.tried.clear();
        let due = self.held.iter();
        let mut due: Vec<_> = due
            .filter(|(_, one)| one.shares() && one.until <= now)
            .map(|(id, one)| (one.until, id.clone()))
            .collect();
        if due.is_empty() || now < self.next_try {
            return;
        }
        due.sort();
        self.tried_all = due.len() > 1 && !self.tried_all;
        due.truncate(if self.tried_all { MAX_CHANGES } else { 1 });
        self.tried = due.into_iter().map(|(_, id)| id).collect();
        self.next_try = now + BETWEEN_TRIES;
    }

    /// The identities that are tried again in one change, which is not made in parts if it is refused.
    pub(super) fn tried(&self) -> &BTreeSet<ArmId> {
        &self.tried
    }

    /// Leaves an identity out of changes for a time that grows with each failure.
    pub(super) fn add(
        &mut self,
        identity: &ArmId,
        failure: TargetFailure,
        now: Moment,
        jitter: Jitter,
    ) {
        let before = self.held.get(identity).map_or(0, |one| one.attempts);
        let attempts = before.saturating_add(1);
        let quarantined = Quarantined {
            attempts,
            since: now,
            until: now + BACKOFF.wait(attempts, jitter),
            failure: failure.after(attempts),
            may_be_mended: false,
        };
        self.held.insert(identity.clone(), quarantined);
    }

    /// Ends the wait of an identity early, because a person requested another try or it may have been mended.
    pub(super) fn release(&mut self, identity: &ArmId) {
        if let Some(one) = self.held.get_mut(identity) {
            one.until = one.until.min(one.since + BETWEEN_REQUESTS);
            one.may_be_mended = true;
        }
    }

    /// Whether the identity was refused.
    pub(super) fn contains(&self, identity: &ArmId) -> bool {
        self.held.contains_key(identity)
    }

    /// Forgets the identities for which `stays` is false.
    pub(super) fn retain(&mut self, stays: impl Fn(&ArmId) -> bool) {
        self.held.retain(|identity, _| stays(identity));
    }

    /// Identities that the comparison under way leaves out.
    pub(super) fn waiting(&self, now: Moment) -> BTreeSet<ArmId> {
        let waiting = self
            .held
            .iter()
            .filter(|(id, one)| one.until > now || (one.shares() && !self.tried.contains(*id)));
        waiting.map(|(id, _)| id.clone()).collect()
    }

    /// All identities whose last try failed.
    pub(super) fn suspects(&self) -> BTreeSet<ArmId> {
        self.held.keys().cloned().collect()
    }

    /// When the next of them are to be tried again.
    pub(super) fn next_due(&self) -> Option<Moment> {
        let until = |shares| {
            let held = self.held.values();
            held.filter(move |one| one.shares() == shares)
                .map(|one| one.until)
        };
        let shared = until(true).min().map(|first| first.max(self.next_try));
        let last = until(false).max();
        let own = until(false).min().zip(last);
        let own = own.map(|(first, last)| last.min(first + TRIED_TOGETHER));
        shared.into_iter().chain(own).min()
    }

    pub(super) fn failures(&self) -> BTreeMap<ArmId, TargetFailure> {
        let all = self.held.iter();
        all.map(|(id, one)| (id.clone(), one.failure.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned_identity::AssignmentFailure;
    use crate::target::failure::Persistence;

    #[test]
    fn an_identity_is_due_again_after_its_wait() {
        let (id, mut quarantine) = (ArmId::new("/x"), Quarantine::default());
        let failure = TargetFailure {
            cause: AssignmentFailure {
                reason: "r".into(),
                message: "m".into(),
            },
            persistence: Persistence::Unconfirmed,
        };
        let (start, full) = (Moment::default(), Jitter::new(1.0));
        quarantine.add(&id, failure.clone(), start, full);
        let permanent = |quarantine: &Quarantine| quarantine.failures()[&id].permanent().cloned();
        assert_eq!(permanent(&quarantine), None, "not believed yet");
        assert_eq!(quarantine.waiting(start), BTreeSet::from([id.clone()]));
        let due = start + Duration::from_secs(5);
        assert_eq!(quarantine.next_due(), Some(due));
        assert!(quarantine.waiting(due).is_empty());
        assert_eq!(
            quarantine.suspects(),
            BTreeSet::from([id.clone()]),
            "until it has passed"
        );
        quarantine.add(&id, failure.clone(), due, full);
        assert_eq!(permanent(&quarantine).as_ref(), Some(&failure.cause));
        (0..6).for_each(|_| quarantine.add(&id, failure.clone(), due, full));
        assert_eq!(quarantine.next_due(), Some(due + Duration::from_secs(300)));
        quarantine.release(&id);
        assert_eq!(
            quarantine.next_due(),
            Some(due + BETWEEN_REQUESTS),
            "somebody asked"
        );
        quarantine.release(&ArmId::new("/y"));
        quarantine.retain(|_| false);
        assert_eq!(quarantine.next_due(), None);
    }
}
