//! What a request gets when there is, or is not, a kept token.

use std::time::Duration;

use serde::Serialize;

use super::{ClockReading, EXPIRING, TokenLifetime};
use crate::moment::Moment;

/// After a failure of the source, requests are answered with an expiring token at once for this long, and do not
/// ask the source each.
pub const FAILURE_PAUSE: Duration = Duration::from_secs(10);

/// What to do about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TokenUse {
    /// Answer with the kept token.
    Kept,
    /// Ask the source, and answer with the kept token if there is no answer soon, or a transient error.
    Renew,
    /// Ask the source.
    Ask,
}

/// Decides about a request for which a token may be kept, with this lifetime. `bypass` is the wish of the client to
/// have a token that was not kept; `failed` is when the source last failed to give a newer one.
#[must_use]
pub fn token_use(
    kept: Option<&TokenLifetime>,
    bypass: bool,
    failed: Option<Moment>,
    at: ClockReading,
) -> TokenUse {
    let left = kept.map_or(Duration::ZERO, |lifetime| lifetime.left(at));
    let failed_now =
        failed.is_some_and(|failed| at.now.saturating_duration_since(failed) < FAILURE_PAUSE);
    if bypass || left.is_zero() {
        TokenUse::Ask
    } else if left > EXPIRING || failed_now {
        TokenUse::Kept
    } else {
        TokenUse::Renew
    }
}
