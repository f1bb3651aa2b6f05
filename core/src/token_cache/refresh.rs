//! When a kept token is replaced in the background, before anybody has to wait for a new one.

use std::time::Duration;

use serde::Serialize;

use super::TokenLifetime;
use crate::backoff::{Backoff, Jitter};
use crate::moment::Moment;

/// Between tries that failed, or brought no newer token.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(15), Duration::from_secs(5 * 60));
/// A refresh is due this share of the life before the end, and up to as much again by chance. It leaves half an
/// hour or more of a day for an outage, and adds less than a twentieth to the calls.
const LEAD_SHARE: f64 = 0.0225;
/// It is due this long before the end, and up to as much again by chance, where the share is less than that.
const LEAD_MIN: Duration = Duration::from_secs(6 * 60);

/// When the next refresh of a token is due. Jitter keeps tokens that were obtained together from being asked for
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refresh {
    due: Moment,
    /// Tries since the token was obtained that brought no newer one.
    failures: u32,
    /// When the last of them ended.
    failed: Option<Moment>,
}

impl Refresh {
    /// For a token that was obtained just now.
    #[must_use]
    pub fn of(lifetime: &TokenLifetime, jitter: Jitter) -> Self {
        let whole = lifetime.whole();
        let lead = whole.mul_f64(LEAD_SHARE).max(LEAD_MIN);
        let lead = lead.mul_f64(1.0 + jitter.unit()).min(whole / 2);
        Self {
            due: lifetime.obtained() + (whole - lead),
            failures: 0,
            failed: None,
        }
    }

    /// After a try that ended now without a newer token.
    #[must_use]
    pub fn after_failure(self, now: Moment, jitter: Jitter) -> Self {
        let failures = self.failures.saturating_add(1);
        Self {
            due: now + PAUSES.wait(failures, jitter),
            failures,
            failed: Some(now),
        }
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self) -> Moment {
        self.due
    }

    /// When the last try for a newer token failed; `None` if none did.
    #[must_use]
    pub fn failed(&self) -> Option<Moment> {
        self.failed
    }
}
