//! Identities that Azure refuses, kept apart from the others and tried again with back-off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::arm::ArmId;
use crate::backoff::{Backoff, Jitter};

use super::failure::TargetFailure;
use crate::moment::Moment;

/// Waits before a refused identity is tried again: short enough for somebody who has corrected it, long
/// enough not to use up the calls that Azure allows for one VM or scale set.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
/// Shortest time between two tries on request: whoever may annotate a profile must not be able to use up
/// the calls that Azure allows for a VM or scale set.
pub const BETWEEN_REQUESTS: Duration = Duration::from_secs(2);

/// The refused identities of one VM or scale set.
#[derive(Clone, Debug, Default)]
pub(super) struct Quarantine(BTreeMap<ArmId, Quarantined>);

#[derive(Clone, Debug)]
struct Quarantined {
    attempts: u32,
    since: Moment,
    until: Moment,
    failure: TargetFailure,
}

impl Quarantine {
    /// Leaves an identity out of changes for a time that grows with each failure.
    pub(super) fn add(
        &mut self,
        identity: &ArmId,
        failure: TargetFailure,
        now: Moment,
        jitter: Jitter,
    ) {
        let before = self.0.get(identity).map_or(0, |one| one.attempts);
        let attempts = before.saturating_add(1);
        let quarantined = Quarantined {
            attempts,
            since: now,
            until: now + BACKOFF.wait(attempts, jitter),
            failure: failure.after(attempts),
        };
        self.0.insert(identity.clone(), quarantined);
    }

    /// Ends the wait of an identity early, because a person requested another try.
    pub(super) fn release(&mut self, identity: &ArmId) {
        if let Some(one) = self.0.get_mut(identity) {
            one.until = one.until.min(one.since + BETWEEN_REQUESTS);
        }
    }

    /// Forgets the identities for which `stays` is false.
    pub(super) fn retain(&mut self, stays: impl Fn(&ArmId) -> bool) {
        self.0.retain(|identity, _| stays(identity));
    }

    /// Identities whose wait has not ended.
    pub(super) fn waiting(&self, now: Moment) -> BTreeSet<ArmId> {
        let waiting = self.0.iter().filter(|(_, one)| one.until > now);
        waiting.map(|(id, _)| id.clone()).collect()
    }

    /// All identities whose last try failed.
    pub(super) fn suspects(&self) -> BTreeSet<ArmId> {
        self.0.keys().cloned().collect()
    }

    /// When the first of them is to be tried again.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.0.values().map(|one| one.until).min()
    }

    pub(super) fn failures(&self) -> BTreeMap<ArmId, TargetFailure> {
        let all = self.0.iter();
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
