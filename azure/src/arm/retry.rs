use std::time::Duration;

use crate::{AzureError, ErrorClass};

/// How often a call is tried before its error goes to the caller.
///
/// Only a disturbance that is over in a moment is tried again here, within a second in all: calls that Azure
/// did not answer, or answered with 5xx. All calls of this crate are idempotent. A wait that Azure asks for
/// is never slept through inside a call, however short: callers have few places for calls, and one that waits
/// in such a place keeps others out. They get the wait as a value, [`AzureError::retry_after`].
#[derive(Clone, Debug)]
pub(crate) struct RetryPolicy {
    /// Tries in all; 1 means that nothing is repeated.
    pub(crate) max_attempts: u32,
    /// Wait before the second try; doubled for each further one.
    pub(crate) first_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            first_delay: Duration::from_millis(100),
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try after the `attempt`th (from 1) failed, or `None` to give up.
    ///
    /// `jitter` is a random number from 0 to 1.
    pub(super) fn delay(&self, error: &AzureError, attempt: u32, jitter: f64) -> Option<Duration> {
        // The gate would refuse the repeat as well.
        let is_sent = !matches!(error, AzureError::NotSent { .. });
        let is_passing = error.class() == ErrorClass::Transient && error.retry_after().is_none();
        if attempt >= self.max_attempts || !is_sent || !is_passing {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let doubled = self.first_delay.saturating_mul(1 << doublings);
        Some(doubled.mul_f64(0.5 + jitter / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryPolicy;
    use crate::{AzureError, Operation, Reply};

    fn refused(status: u16, retry_after: Option<u64>) -> AzureError {
        let retry_after = retry_after.map(Duration::from_secs);
        let reply = Reply {
            retry_after,
            ..Reply::new(status, "", "")
        };
        AzureError::refused(Operation::GetIdentity, "/x", reply)
    }

    #[test]
    fn a_wait_that_azure_asks_for_goes_to_the_caller() {
        let policy = RetryPolicy::default();
        for status in [429, 500, 503] {
            for asked in [0, 1, 7, 120] {
                let error = refused(status, Some(asked));
                assert_eq!(policy.delay(&error, 1, 0.0), None, "{status} {asked}");
                assert_eq!(error.retry_after(), Some(Duration::from_secs(asked)));
            }
        }
        assert_eq!(policy.delay(&refused(429, None), 1, 1.0), None);
    }

    #[test]
    fn waits_double_and_are_over_within_a_second() {
        let policy = RetryPolicy::default();
        let delay = |attempt| policy.delay(&refused(503, None), attempt, 1.0);
        assert_eq!(delay(1), Some(policy.first_delay));
        assert_eq!(delay(2), Some(policy.first_delay * 2));
        let all: Duration = (1..).map_while(delay).sum();
        assert!(all < Duration::from_secs(1), "{all:?}");
    }

    #[test]
    fn what_cannot_get_better_is_not_repeated() {
        for status in [400, 401, 403, 404, 409, 412] {
            let delay = RetryPolicy::default().delay(&refused(status, None), 1, 0.0);
            assert_eq!(delay, None, "{status}");
        }
    }
}
