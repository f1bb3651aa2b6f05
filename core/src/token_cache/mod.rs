//! Which tokens the node daemon keeps, how long it answers with them, and when it asks for new ones.
//!
//! ```text
//!            ┌────────── fresh ──────────┬── refresh is due ──┬─ expiring ─┐
//!  token ────┤ answered with the token   │ the same, and a    │ asked for  ├──── ended: dropped
//!  obtained  │                           │ new one is fetched │ a new one, │
//!            │                           │ in the background  │ else given │
//!            └───────────────────────────┴────────────────────┴────────────┘
//! ```
//!
//! Who may have a token is not decided here: that is [`crate::resolve`], at every request, before a kept token
//! is looked for.

mod lifetime;
mod refresh;
mod token_use;
mod used_resources;

pub use lifetime::{ClockReading, KEPT_MAX, StatedLifetime, TokenLifetime};
pub use refresh::Refresh;
pub use token_use::{FAILURE_PAUSE, TokenUse, token_use};
pub use used_resources::{IDENTITIES_MAX, RESOURCE_SIZE_MAX, RESOURCES_MAX, UsedResources};

use std::time::Duration;

/// A token with this much time left or less is expiring: SDKs ask for a new one five minutes before the end, so
/// a token that ends sooner makes them ask again at once.
pub const EXPIRING: Duration = Duration::from_secs(5 * 60);

/// Largest kept token, in bytes, its audience included. A token of Entra has 1.5 to 4 KB.
pub const TOKEN_SIZE_MAX: usize = 8 * 1024;

/// Whether a token that was obtained just now is kept. One that is expiring already would be asked for anew at the
/// next request, and memory is bounded by the size of each.
#[must_use]
pub fn is_worth_keeping(lifetime: &TokenLifetime, at: ClockReading, size: usize) -> bool {
    lifetime.left(at) > EXPIRING && size <= TOKEN_SIZE_MAX
}

#[cfg(test)]
mod tests;
