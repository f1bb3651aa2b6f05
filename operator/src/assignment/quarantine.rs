//! Identities that spoil a change for all others, kept apart and tried again with back-off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use podid_core::arm::ArmId;
use tokio::time::Instant;

use super::failure::Failure;

/// First and longest wait before a spoilt identity is tried again: soon enough after somebody has
/// mended it, seldom enough not to eat the machine's share of calls.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// Shortest time between two tries that people ask for: whoever may annotate a profile must not
/// spend the machine's share of calls.
pub(super) const BETWEEN_REQUESTS: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Quarantine(BTreeMap<ArmId, Held>);

#[derive(Debug)]
struct Held {
    attempts: u32,
    since: Instant,
    until: Instant,
    failure: Failure,
}

impl Quarantine {
    /// Keeps an identity apart for a while, longer each time.
    pub(super) fn hold(&mut self, identity: &ArmId, failure: Failure) {
        let attempts = self
            .0
            .get(identity)
            .map_or(0, |held| held.attempts)
            .saturating_add(1);
        let since = Instant::now();
        let until = since + backoff(attempts, FIRST_RETRY, LONGEST_RETRY);
        self.0.insert(
            identity.clone(),
            Held {
                attempts,
                since,
                until,
                failure: failure.after(attempts),
            },
        );
    }

    /// Lets an identity be tried as soon as people may ask: somebody says that it is mended.
    pub(super) fn release(&mut self, identity: &ArmId) {
        if let Some(held) = self.0.get_mut(identity) {
            held.until = held.until.min(held.since + BETWEEN_REQUESTS);
        }
    }

    /// Forgets the identities for which `stays` is false.
    pub(super) fn retain(&mut self, stays: impl Fn(&ArmId) -> bool) {
        self.0.retain(|identity, _| stays(identity));
    }

    /// Identities whose time has not come.
    pub(super) fn waiting(&self) -> BTreeSet<ArmId> {
        let now = Instant::now();
        self.0
            .iter()
            .filter(|(_, held)| held.until > now)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// All identities that failed last time.
    pub(super) fn suspects(&self) -> BTreeSet<ArmId> {
        self.0.keys().cloned().collect()
    }

    /// When the first of them is to be tried again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().map(|held| held.until).min()
    }

    pub(super) fn failures(&self) -> BTreeMap<ArmId, Failure> {
        self.0
            .iter()
            .map(|(id, held)| (id.clone(), held.failure.clone()))
            .collect()
    }
}

/// A wait that doubles with each attempt (from 1) up to a limit; between half of that and all of
/// it, so that those who failed together do not come back together.
pub(super) fn backoff(attempt: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(longest);
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// `duration` and up to a tenth more.
pub(super) fn with_jitter(duration: Duration) -> Duration {
    duration.mul_f64(1.0 + rand::random::<f64>() / 10.0)
}

#[cfg(test)]
mod tests {
    use podid_core::assigned_identity::AssignmentFailure;

    use super::*;
    use crate::assignment::failure::Outlook;

    #[test]
    fn waits_double_within_limits() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        for (attempt, full) in [(0, 1), (1, 1), (2, 2), (5, 16), (7, 60), (u32::MAX, 60)] {
            let wait = backoff(attempt, first, longest);
            let full = Duration::from_secs(full);
            assert!(
                full / 2 <= wait && wait <= full,
                "attempt {attempt}: {wait:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_identity_is_due_again_after_its_wait() {
        let (id, mut quarantine) = (ArmId::new("/x"), Quarantine::default());
        let failure = Failure {
            cause: AssignmentFailure {
                reason: "r".into(),
                message: "m".into(),
            },
            outlook: Outlook::Doubtful,
        };
        quarantine.hold(&id, failure.clone());
        assert_eq!(
            quarantine.failures()[&id].lasting(),
            None,
            "not believed yet"
        );
        assert_eq!(quarantine.waiting(), BTreeSet::from([id.clone()]));
        tokio::time::sleep_until(quarantine.next_due().expect("one is held")).await;
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(quarantine.waiting().is_empty());
        assert_eq!(
            quarantine.suspects(),
            BTreeSet::from([id.clone()]),
            "until it has passed"
        );
        quarantine.hold(&id, failure.clone());
        assert_eq!(quarantine.failures()[&id].lasting(), Some(&failure.cause));
        (0..6).for_each(|_| quarantine.hold(&id, failure.clone()));
        quarantine.release(&id);
        let asked = Instant::now();
        tokio::time::sleep_until(quarantine.next_due().expect("one is held")).await;
        assert_eq!(asked.elapsed(), BETWEEN_REQUESTS, "somebody asked");
        quarantine.retain(|_| false);
        assert_eq!(quarantine.next_due(), None);
    }
}
