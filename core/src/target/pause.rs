//! How long a VM or scale set is left alone.

use std::time::Duration;

use super::error::{TargetError, TargetErrorClass};
use super::quarantine::BETWEEN_REQUESTS;
use crate::backoff::{Backoff, JitterSource, lengthened};
use crate::moment::Moment;

/// Waits after a failure that may end by itself.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Waits after a failure that a person must correct.
const AFTER_REFUSAL: Backoff = Backoff::new(Duration::from_secs(15), Duration::from_secs(300));

/// Shortest and longest wait before a target that Azure is changing is read again.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// Why a comparison could not be finished.
#[derive(Clone, Debug)]
pub(super) enum ComparisonError {
    Azure(TargetError),
    /// The record could not be written; the API server's error.
    Record(String),
}

/// What arrived since the last comparison began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// The desired identities changed.
    pub(super) desired: bool,
    /// A person asks for a comparison.
    pub(super) requested: bool,
}

impl Arrivals {
    pub(super) fn any(self) -> bool {
        self.desired || self.requested
    }
}

/// How long a VM or scale set is left alone after a comparison.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    /// Comparisons in a row that could not be finished.
    pub(super) failures: u32,
    /// When the last comparison ended.
    pub(super) ended: Moment,
    pub(super) until: Moment,
    /// Whether Azure asked for it, or is changing the target. A request by a person does not end such a pause early.
    asked_by_azure: bool,
}

impl Pause {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            failures: 0,
            ended: now,
            until: now,
            asked_by_azure: false,
        }
    }

    /// After a comparison that could be finished.
    pub(super) fn finished(&mut self, now: Moment) {
        *self = Self::new(now);
    }

    /// After one that could not.
    pub(super) fn failed(
        &mut self,
        error: &ComparisonError,
        now: Moment,
        random: &mut JitterSource,
    ) {
        let failures = self.failures.saturating_add(1);
        *self = Self {
            failures,
            ended: now,
            until: now + wait_after(error, failures, random),
            asked_by_azure: is_asked_by_azure(error),
        };
    }

    /// While Azure has been changing the target since `since`: it is read again after an eighth of the time
    /// that the change has taken so far. So the end is seen at most that much later, however long it takes.
    pub(super) fn while_changing(&mut self, since: Moment, now: Moment) {
        let taken = now.saturating_duration_since(since);
        let wait = (taken / 8).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        *self = Self {
            until: now + wait,
            asked_by_azure: true,
            ..Self::new(now)
        };
    }

    /// When the next comparison may begin.
    pub(super) fn over(&self, arrivals: Arrivals) -> Moment {
        let asked = self.ended + BETWEEN_REQUESTS;
        match arrivals {
            // The last comparison succeeded, so a request has no failure to correct. Frequent requests
            // must not cause frequent reads.
            Arrivals {
                desired: false,
                requested: true,
            } if self.failures == 0 => self.until.max(asked),
            Arrivals {
                requested: true, ..
            } if !self.asked_by_azure => self.until.min(asked),
            _ => self.until,
        }
    }
}

fn is_asked_by_azure(error: &ComparisonError) -> bool {
    let ComparisonError::Azure(error) = error else {
        return false;
    };
    error.class == TargetErrorClass::Throttled || error.retry_after.is_some()
}

/// How long to leave a VM or scale set alone after the given number of failures in a row.
fn wait_after(error: &ComparisonError, failures: u32, random: &mut JitterSource) -> Duration {
    let jitter = random.next_jitter();
    let ComparisonError::Azure(error) = error else {
        return RETRY.wait(failures, jitter);
    };
    match (error.class, error.retry_after) {
        // A call before that time would be refused and lengthen the wait, so podid's own wait is added.
        (TargetErrorClass::Throttled, Some(asked)) => {
            lengthened(asked, jitter) + RETRY.wait(1, random.next_jitter())
        }
        (class, asked) if class.is_retryable() => RETRY.wait_at_least(failures, asked, jitter),
        _ => AFTER_REFUSAL.wait(failures, jitter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::target_error;

    const CHANGE: Arrivals = Arrivals {
        desired: true,
        requested: false,
    };
    const REQUEST: Arrivals = Arrivals {
        desired: false,
        requested: true,
    };
    const BOTH: Arrivals = Arrivals {
        desired: true,
        requested: true,
    };
    const ENDED: Moment = Moment::after_start(Duration::from_secs(100));

    fn azure(class: TargetErrorClass, asked: Option<u64>) -> ComparisonError {
        ComparisonError::Azure(TargetError {
            retry_after: asked.map(Duration::from_secs),
            ..target_error(class, Some("Code"))
        })
    }

    /// The pause after this number of comparisons in a row that ended with `error`, all at [`ENDED`].
    fn after(failures: u32, error: &ComparisonError, seed: u64) -> Pause {
        let mut random = JitterSource::new(seed);
        let mut pause = Pause::new(ENDED);
        for _ in 0..failures {
            pause.failed(error, ENDED, &mut random);
        }
        pause
    }

    #[test]
    fn after_a_success_a_change_begins_at_once_and_a_mere_request_a_little_later() {
        let pause = Pause::new(ENDED);
        assert_eq!(pause.over(CHANGE), ENDED);
        assert_eq!(pause.over(BOTH), ENDED);
        assert_eq!(pause.over(REQUEST), ENDED + BETWEEN_REQUESTS);
    }

    #[test]
    fn a_request_cuts_a_wait_short_unless_azure_asked_for_it() {
        let refused = after(1, &azure(TargetErrorClass::Forbidden, None), 1);
        assert_eq!(refused.over(CHANGE), refused.until);
        for arrivals in [REQUEST, BOTH] {
            assert_eq!(refused.over(arrivals), ENDED + BETWEEN_REQUESTS);
        }
        let short = after(1, &azure(TargetErrorClass::Transient, None), 1);
        assert_eq!(short.over(REQUEST), short.until, "never longer");
        let throttled = after(1, &azure(TargetErrorClass::Throttled, Some(30)), 1);
        assert_eq!(throttled.over(REQUEST), throttled.until);
    }

    #[test]
    fn waits_fit_what_went_wrong() {
        use TargetErrorClass::{Forbidden, Throttled, Transient};
        // The error, failures in a row, the shortest and the longest wait in milliseconds.
        let table = [
            (ComparisonError::Record("no".into()), 1, 500, 1_000),
            (azure(Transient, None), 1, 500, 1_000),
            (azure(Transient, None), 3, 2_000, 4_000),
            (azure(Transient, Some(30)), 1, 30_000, 33_000),
            (azure(Throttled, None), 1, 500, 1_000),
            // Podid's own wait is added to what Azure asked for.
            (azure(Throttled, Some(30)), 1, 30_500, 34_000),
            (azure(Forbidden, None), 1, 7_500, 15_000),
        ];
        for (error, failures, shortest, longest) in table {
            let limits = Duration::from_millis(shortest)..=Duration::from_millis(longest);
            for seed in 0..50 {
                let until = after(failures, &error, seed).until.since_start();
                let wait = until - ENDED.since_start();
                assert!(limits.contains(&wait), "{error:?}: {wait:?}");
            }
        }
    }

    #[test]
    fn the_end_of_a_change_is_seen_soon_after_and_nothing_that_arrives_is_a_reason_to_look_before()
    {
        for seconds in [1, 5, 40, 960] {
            let free = ENDED + Duration::from_secs(seconds);
            let (mut pause, mut now, mut reads) = (Pause::new(ENDED), ENDED, 1);
            while now < free {
                pause.while_changing(ENDED, now);
                for arrivals in [CHANGE, BOTH] {
                    assert_eq!(pause.over(arrivals), pause.until);
                }
                assert!(pause.over(REQUEST) >= pause.until);
                (now, reads) = (pause.until, reads + 1);
            }
            let late = now.saturating_duration_since(free);
            assert!(late.as_secs() <= seconds / 8, "{seconds} s: {late:?}");
            assert!(reads <= 24 + seconds / 15, "{seconds} s: {reads} reads");
        }
    }

    #[test]
    fn a_success_ends_the_growth_of_the_waits() {
        let error = azure(TargetErrorClass::Transient, None);
        let mut pause = after(9, &error, 1);
        let later = ENDED + Duration::from_secs(600);
        pause.finished(later);
        assert_eq!((pause.failures, pause.over(CHANGE)), (0, later));
        pause.failed(&error, later, &mut JitterSource::new(1));
        assert!(pause.until <= later + Duration::from_secs(1));
    }
}
