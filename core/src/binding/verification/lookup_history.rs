//! Which of Azure's answers about a managed identity is believed.

use std::time::Duration;

use super::IdentityLookup;
use crate::backoff::{Backoff, Jitter, lengthened};

/// How many refusals in a row it takes to give up an identity that was found: one may be wrong, and pods
/// that use the identity would be stopped.
const BELIEVED_REFUSALS: u32 = 2;

/// First wait after an answer that is no identity; the interval is the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// The answers about one managed identity, in the order in which they arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupHistory<O> {
    believed: Option<IdentityLookup<O>>,
    /// How many answers in a row were no identity.
    failures: u32,
    refusals: u32,
}

impl<O> Default for LookupHistory<O> {
    fn default() -> Self {
        Self {
            believed: None,
            failures: 0,
            refusals: 0,
        }
    }
}

impl<O> LookupHistory<O> {
    /// The answer that is believed; `None` before the first one.
    #[must_use]
    pub fn believed(&self) -> Option<&IdentityLookup<O>> {
        self.believed.as_ref()
    }

    /// How long to wait before the identity is looked up again, which is `interval` after one that was found.
    /// After a failure it is never shorter than Azure `asked` for.
    #[must_use]
    pub fn next_wait(
        &self,
        interval: Duration,
        asked: Option<Duration>,
        jitter: Jitter,
    ) -> Duration {
        match self.failures {
            0 => lengthened(interval, jitter),
            failures => Backoff::new(FIRST_RETRY, interval.max(FIRST_RETRY))
                .wait_at_least(failures, asked, jitter),
        }
    }

    /// Adds an answer. A failure that may be temporary never replaces an answer of Azure. An identity
    /// that was found is given up after [two](BELIEVED_REFUSALS) refusals (`Absent` or `Unreadable`) without
    /// a find between them; failures that may be temporary between them do not count.
    pub fn record(&mut self, answer: IdentityLookup<O>) {
        let found = matches!(answer, IdentityLookup::Found { .. });
        let refused = matches!(
            answer,
            IdentityLookup::Absent | IdentityLookup::Unreadable(_)
        );
        if found {
            (self.failures, self.refusals) = (0, 0);
        } else {
            self.failures = self.failures.saturating_add(1);
            self.refusals = self.refusals.saturating_add(refused.into());
        }
        let is_believed = match &self.believed {
            None | Some(IdentityLookup::NotYet(_)) => true,
            Some(IdentityLookup::Found { .. }) if refused => self.refusals >= BELIEVED_REFUSALS,
            Some(_) => found || refused,
        };
        if is_believed {
            self.believed = Some(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned_identity::AssignmentFailure;

    type Lookup = IdentityLookup<()>;

    fn found() -> Lookup {
        found_with("c")
    }

    fn found_with(client_id: &str) -> Lookup {
        IdentityLookup::Found {
            client_id: client_id.into(),
            owner: None,
        }
    }

    fn unreadable() -> Lookup {
        IdentityLookup::Unreadable("403".into())
    }

    fn not_yet(reason: &str) -> Lookup {
        IdentityLookup::NotYet(AssignmentFailure {
            reason: reason.into(),
            message: "wait".into(),
        })
    }

    #[test]
    fn the_believed_answer_follows_from_those_before() {
        let table = [
            (vec![], None, 0),
            (vec![not_yet("a")], Some(not_yet("a")), 1),
            (vec![not_yet("a"), not_yet("b")], Some(not_yet("b")), 2),
            (vec![not_yet("a"), unreadable()], Some(unreadable()), 2),
            (vec![unreadable(), not_yet("a")], Some(unreadable()), 2),
            (vec![unreadable(), Lookup::Absent], Some(Lookup::Absent), 2),
            (vec![unreadable(), found()], Some(found()), 0),
            (vec![found(), found_with("d")], Some(found_with("d")), 0),
            (vec![found(), not_yet("a"), not_yet("a")], Some(found()), 2),
            (vec![found(), Lookup::Absent], Some(found()), 1),
            (
                vec![found(), Lookup::Absent, unreadable()],
                Some(unreadable()),
                2,
            ),
            (
                vec![found(), unreadable(), not_yet("a"), unreadable()],
                Some(unreadable()),
                3,
            ),
            (
                vec![found(), unreadable(), found(), unreadable()],
                Some(found()),
                1,
            ),
        ];
        for (answers, believed, failures) in table {
            let mut history = LookupHistory::default();
            answers
                .iter()
                .for_each(|answer| history.record(answer.clone()));
            assert_eq!(history.believed(), believed.as_ref(), "{answers:?}");
            assert_eq!(history.failures, failures, "{answers:?}");
        }
    }

    #[test]
    fn a_wait_that_azure_asks_for_is_kept() {
        let (interval, asked) = (Duration::from_secs(180), Duration::from_secs(60));
        let mut history = LookupHistory::<()>::default();
        history.record(not_yet("Throttled"));
        let wait = history.next_wait(interval, Some(asked), Jitter::NONE);
        assert_eq!(wait, asked);
    }

    #[test]
    fn what_was_not_found_is_looked_up_sooner_and_then_less_often() {
        let (interval, full) = (Duration::from_secs(180), Jitter::new(1.0));
        let mut history = LookupHistory::default();
        let mut wait_after = |answer| {
            history.record(answer);
            history.next_wait(interval, None, full).as_secs()
        };
        assert_eq!(wait_after(found()), 198);
        let waits: Vec<u64> = (0..8).map(|_| wait_after(not_yet("a"))).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 180, 180]);
        assert_eq!(wait_after(found()), 198);
        history.record(Lookup::Absent);
        let short = history.next_wait(Duration::from_secs(1), None, full);
        assert_eq!(short, FIRST_RETRY, "however short the interval");
    }
}
