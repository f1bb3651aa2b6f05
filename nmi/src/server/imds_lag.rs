//! Waits for the metadata service to learn of an identity that was assigned just now. However many
//! requests wait for it, one at a time asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use podid_azure::{ImdsError, ImdsToken, ImdsTokenRequest, ImdsTokens};
use podid_core::arm::ArmId;
use tokio::time::{Instant, sleep_until};

/// Pauses between requests for one identity.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The identities that requests wait for. Those that nobody waits for any more go when another comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImdsLag(Arc<Mutex<HashMap<ArmId, Weak<Unknown>>>>);

/// An identity that the metadata service does not know. Whoever holds the lock asks next; waiters
/// get it in their order.
#[derive(Debug)]
struct Unknown(tokio::sync::Mutex<Turn>);

#[derive(Debug)]
struct Turn {
    next: Instant,
    pause: Duration,
    known: bool,
}

/// One request that waits.
#[derive(Debug)]
pub(crate) struct Waiter(Arc<Unknown>);

impl ImdsLag {
    /// A place among those who wait for the identity, if there are any.
    pub(crate) fn waiters(&self, id: &ArmId) -> Option<Waiter> {
        let unknown = self.identities().get(id).and_then(Weak::upgrade)?;
        Some(Waiter(unknown))
    }

    /// A place among those who wait for the identity, the first one if need be: the metadata service
    /// has just been asked.
    pub(crate) fn wait_for(&self, id: &ArmId) -> Waiter {
        let mut identities = self.identities();
        identities.retain(|_, unknown| unknown.strong_count() > 0);
        let known = identities.get(id).and_then(Weak::upgrade);
        Waiter(known.unwrap_or_else(|| {
            let turn = Turn {
                next: Instant::now() + FIRST_PAUSE,
                pause: FIRST_PAUSE * 2,
                known: false,
            };
            let unknown = Arc::new(Unknown(tokio::sync::Mutex::new(turn)));
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
    pub(crate) async fn ask(
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
            // Before asking, so that it holds if this waiter goes away meanwhile.
            turn.rest();
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
    fn rest(&mut self) {
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests;
