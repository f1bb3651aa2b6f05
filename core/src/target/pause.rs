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
    /// Whether Azure asked for it: then a person may not cut it short.
    firm: bool,
}

impl Pause {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            failures: 0,
            ended: now,
            until: now,
            firm: false,
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
            firm: matches!(error, ComparisonError::Azure(error) if error.class == TargetErrorClass::Throttled),
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
            } if self.failures == 0 => asked,
            Arrivals {
                requested: true, ..
            } if !self.firm => self.until.min(asked),
            _ => self.until,
        }
    }
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
