//! Tokens that were obtained before. A pod's entry leads to a token that all pods of its identity share:
//!
//! ```text
//! pod (uid) ─► entry: identity, resource, which assignment ─► token of (identity, resource)
//! ```
//!
//! The cache decides about no pod: whoever asks it has been allowed to have the token, by a decision for this very
//! request. A token is dropped with the last entry that leads to it, and an entry with its pod, its binding, its
//! assignment or its AzureIdentity (`upkeep`).
//!
//! Errors are not kept. Those that pass may have passed a moment later; the others, such as an identity that is not
//! on the node or a resource that Entra does not know, end when a person corrects what is wrong, who would then have to
//! wait for nothing. Equal requests share an answer while it is under way, and the limits of the metadata service
//! hold for all (`shared_imds`).

mod key;
mod store;
mod upkeep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use podid_core::moment::Moment;
use podid_core::token_cache::{ClockReading, TokenUse};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use self::key::TokenKey;
pub(crate) use self::store::KeptTokenView;
use self::store::{LookUp, TokenStore};
use super::{IssuedToken, TokenError, TokenIssuer, TokenRequest};
use crate::metrics::NodeMetrics;

/// How long a request for which there is an expiring token waits for a new one.
const RENEW_WAIT: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct TokenCache {
    source: Arc<dyn TokenIssuer>,
    store: Mutex<TokenStore>,
    start: Instant,
    /// Wakes the upkeep: a token is new, or is used.
    changed: Notify,
    metrics: NodeMetrics,
}

impl TokenCache {
    /// Keeps the tokens of `source`.
    pub(crate) fn new(source: Arc<dyn TokenIssuer>, metrics: NodeMetrics) -> Self {
        Self {
            source,
            store: Mutex::default(),
            start: Instant::now(),
            changed: Notify::new(),
            metrics,
        }
    }

    /// What is kept, but for the tokens themselves.
    pub(crate) fn kept(&self) -> Vec<KeptTokenView> {
        let at = self.read_clocks();
        self.store().kept(at)
    }

    fn read_clocks(&self) -> ClockReading {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        ClockReading {
            now: Moment::after_start(self.start.elapsed()),
            unix: unix.unwrap_or_default().as_secs(),
        }
    }

    /// Asks the source, and keeps what it says.
    async fn ask(&self, request: &TokenRequest<'_>) -> Result<IssuedToken, TokenError> {
        let asked = self.read_clocks();
        let answer = self.source.token(*request).await;
        let at = self.read_clocks();
        let mut store = self.store();
        match &answer {
            Ok(issued) => store.put(request, issued, asked, at),
            Err(error) if error.is_transient() => {
                store.note_failure(&TokenKey::of(request), at);
            }
            Err(_) => store.remove(request),
        }
        self.metrics.tokens_kept.set(store.tokens());
        drop(store);
        self.changed.notify_one();
        answer
    }

    /// Nothing can panic while the lock is held.
    fn store(&self) -> MutexGuard<'_, TokenStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenIssuer for TokenCache {
    async fn token(&self, request: TokenRequest<'_>) -> Result<IssuedToken, TokenError> {
        let at = self.read_clocks();
        let LookUp {
            decision,
            kept,
            is_first_use,
        } = self.store().look_up(&request, at);
        if is_first_use || decision == TokenUse::Renew {
            // A refresh may be due. Unlike this request, it waits for the source as long as it takes.
            self.changed.notify_one();
        }
        let issued = match (decision, kept) {
            (TokenUse::Kept, Some(kept)) => kept,
            (TokenUse::Renew, Some(kept)) => match timeout(RENEW_WAIT, self.ask(&request)).await {
                Ok(Err(error)) if !error.is_transient() => return Err(error),
                Ok(Ok(new)) => return Ok(new),
                Ok(Err(_)) | Err(_) => kept,
            },
            _ => return self.ask(&request).await,
        };
        self.metrics.tokens_from_cache.inc();
        Ok(issued)
    }
}

#[cfg(test)]
mod tests;
