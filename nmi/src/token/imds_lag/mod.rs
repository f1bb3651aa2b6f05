//! Waits until the metadata service knows an identity that was assigned just now. Of all requests
//! that wait for one identity, only one at a time asks the service, which allows few requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use podid_azure::{ImdsError, ImdsToken, ImdsTokenRequest, ImdsTokens};
use podid_core::arm::ArmId;
use podid_core::backoff::{Backoff, Jitter};
use tokio::time::{Instant, sleep_until};

/// Pauses between requests for one identity.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(4));

/// The identities that requests wait for. One that no request waits for any more is removed when the next
/// one is added.
#[derive(Clone, Debug, Default)]
pub(super) struct ImdsLag(Arc<Mutex<HashMap<ArmId, Weak<Unknown>>>>);

/// An identity that the metadata service does not know. The waiter that has the lock asks next; waiters
/// get the lock in the order in which they came.
#[derive(Debug)]
struct Unknown(tokio::sync::Mutex<Turn>);

#[derive(Debug)]
struct Turn {
    /// When the service may be asked again.
    next: Instant,
    /// How many requests came to nothing, or may.
    failures: u32,
    /// Whether the last answer was a token: then the others ask at once.
    known: bool,
}

/// One request that waits.
#[derive(Debug)]
pub(super) struct Waiter(Arc<Unknown>);

impl ImdsLag {
    /// Joins those who wait for the identity; `None` when nobody does.
    pub(super) fn waiters(&self, id: &ArmId) -> Option<Waiter> {
        let unknown = self.identities().get(id).and_then(Weak::upgrade)?;
        Some(Waiter(unknown))
    }

    /// Joins those who wait for the identity, or is the first. To be called right after the metadata
    /// service has said that it does not know the identity.
    pub(super) fn wait_for(&self, id: &ArmId) -> Waiter {
        let mut identities = self.identities();
        identities.retain(|_, unknown| unknown.strong_count() > 0);
        let known = identities.get(id).and_then(Weak::upgrade);
        Waiter(known.unwrap_or_else(|| {
            let unknown = Arc::new(Unknown(tokio::sync::Mutex::new(Turn::after_failure())));
            identities.insert(id.clone(), Arc::downgrade(&unknown));
            unknown
        }))
    }

    /// Nothing can panic while the lock is held.
    fn identities(&self) -> MutexGuard<'_, HashMap<ArmId, Weak<Unknown>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Asks, when it is this waiter's turn, until the identity is known.
    ///
    /// # Errors
    /// Anything but "Identity not found".
    pub(super) async fn ask(
        &self,
        imds: &dyn ImdsTokens,
        request: &ImdsTokenRequest,
    ) -> Result<ImdsToken, ImdsError> {
        loop {
            let mut turn = self.0.0.lock().await;
            if turn.known {
                drop(turn);
                match imds.token(request).await {
                    Err(error) if error.is_identity_not_found() => {
                        self.0.0.lock().await.known = false;
                        continue;
                    }
                    answered => return answered,
                }
            }
            sleep_until(turn.next).await;
            // Counted before the question, so that the pause holds even if this waiter is dropped meanwhile.
            turn.count_failure();
            match imds.token(request).await {
                Err(error) if error.is_identity_not_found() => {}
                answered => {
                    turn.known = answered.is_ok();
                    return answered;
                }
            }
        }
    }
}

impl Turn {
    /// After the first request that came to nothing.
    fn after_failure() -> Self {
        let mut turn = Self {
            next: Instant::now(),
            failures: 0,
            known: false,
        };
        turn.count_failure();
        turn
    }

    fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        // Without a random part: no other request for this identity comes from this node meanwhile.
        let pause = PAUSES.full_wait_at_least(self.failures, None, Jitter::NONE);
        self.next = Instant::now() + pause;
    }
}

#[cfg(test)]
mod tests;
