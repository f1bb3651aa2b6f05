use std::time::Duration;

use crate::{AzureError, ErrorClass};

/// How often a call is tried before its error goes to the caller.
///
/// Only calls that Azure did not answer, answered with 5xx, or throttled for a *short* time are
/// tried again; all calls of this crate are idempotent. Anything longer is the caller's to decide:
/// it knows what else could be done meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct RetryPolicy {
    /// Tries in all; 1 means that nothing is repeated.
    pub(crate) max_attempts: u32,
    /// Wait before the second try; doubled for each further one.
    pub(crate) first_delay: Duration,
    /// Longest wait of our own choosing.
    pub(crate) max_delay: Duration,
    /// Longest `Retry-After` that is waited out here.
    pub(crate) max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            first_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(15),
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try after the `attempt`th (from 1) failed, or `None` to give up.
    ///
    /// `jitter` is a random number from 0 to 1. Never shorter than what Azure asked for: a request
    /// that comes too early is refused and counted.
    pub(super) fn delay(&self, error: &AzureError, attempt: u32, jitter: f64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let asked = match error.class() {
            // The gate would refuse the repeat as well.
            _ if matches!(error, AzureError::NotSent { .. }) => return None,
            ErrorClass::Throttled { retry_after } => retry_after,
            ErrorClass::Transient => error.retry_after(),
            _ => return None,
        };
        let doubled = self
            .first_delay
            .saturating_mul(2u32.saturating_pow(attempt - 1));
        let own = doubled.min(self.max_delay);
        match asked {
            Some(asked) if asked > self.max_retry_after => None,
            Some(asked) => Some(asked + own.mul_f64(jitter)),
            None => Some(own.mul_f64(0.5 + jitter / 2.0)),
        }
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
    fn the_wait_asked_for_is_never_shortened_and_long_ones_go_to_the_caller() {
        let policy = RetryPolicy::default();
        let delay = |after, jitter| policy.delay(&refused(429, after), 1, jitter);
        assert_eq!(delay(Some(7), 0.0), Some(Duration::from_secs(7)));
        assert!(delay(Some(7), 1.0) > Some(Duration::from_secs(7)));
        assert_eq!(delay(Some(0), 1.0), Some(policy.first_delay));
        assert_eq!(delay(Some(120), 0.0), None);
        assert_eq!(delay(None, 1.0), Some(policy.first_delay));
    }

    #[test]
    fn waits_double_up_to_a_limit_and_end() {
        let policy = RetryPolicy {
            max_attempts: 50,
            ..RetryPolicy::default()
        };
        let delay = |attempt| policy.delay(&refused(503, None), attempt, 1.0);
        assert_eq!(delay(2), Some(policy.first_delay * 2));
        assert_eq!(delay(49), Some(policy.max_delay));
        assert_eq!(delay(50), None);
    }

    #[test]
    fn what_cannot_get_better_is_not_repeated() {
        for status in [400, 401, 403, 404, 409, 412] {
            let delay = RetryPolicy::default().delay(&refused(status, Some(1)), 1, 0.0);
            assert_eq!(delay, None, "{status}");
        }
    }
}
