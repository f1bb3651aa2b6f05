//! When a profile or a class that could not be finished is tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use podid_crds::podid::PodIdentityProfile;

use super::Context;
use super::reconcile::ReconcileError;

/// Wait before the first retry; doubled for each one after.
const FIRST: Duration = Duration::from_secs(1);

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// How often in a row each object was tried without success, by uid. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Retries(Arc<Mutex<HashMap<String, u32>>>);

impl Retries {
    /// Counts a failure, and says how long to wait: longer each time, never shorter than `asked`
    /// by Azure, and never quite the same for two profiles.
    pub(crate) fn again(&self, uid: &str, asked: Option<Duration>) -> Duration {
        let mut failures = self.failures();
        let count = failures.entry(uid.to_owned()).or_default();
        let wait = FIRST
            .saturating_mul(2_u32.saturating_pow(*count))
            .min(LONGEST);
        *count = count.saturating_add(1);
        // Added, never taken off: Azure's word is the shortest wait.
        wait.max(asked.unwrap_or_default())
            .mul_f64(1.0 + jitter() / 5.0)
    }

    /// A success, or the end of the profile.
    pub(crate) fn forget(&self, uid: &str) {
        self.failures().remove(uid);
    }

    /// Nothing here can panic while the lock is held, so a poisoned state is still a true one.
    fn failures(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `interval`, up to a tenth shorter or longer, so that profiles made together drift apart.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.9 + jitter() / 5.0)
}

/// A number from 0 up to 1.
fn jitter() -> f64 {
    rand::random()
}

/// What the controller does about a reconciliation that did not come to its end.
pub(super) fn after_error(
    profile: Arc<PodIdentityProfile>,
    error: &ReconcileError,
    context: Arc<Context>,
) -> Action {
    let wait = context
        .retries
        .again(&profile.uid().unwrap_or_default(), error.retry_after());
    let (namespace, name) = (profile.namespace(), profile.name_any());
    if error.is_waiting() {
        tracing::info!(
            namespace,
            name,
            "deletion waits until machines have let go of the identity"
        );
    } else {
        let error = error as &dyn std::error::Error;
        tracing::warn!(namespace, name, error, retry_in = ?wait, "profile not reconciled");
    }
    Action::requeue(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_are_forgotten() {
        let retries = Retries::default();
        let waits: Vec<u64> = (0..40)
            .map(|_| retries.again("a", None).as_secs())
            .collect();
        assert!(
            (1..=2).contains(&waits[0]) && (4..=5).contains(&waits[2]),
            "{waits:?}"
        );
        assert!(waits.iter().all(|wait| *wait <= 360), "{waits:?}");
        assert!(
            retries.again("b", None) < Duration::from_secs(2),
            "each has its own count"
        );
        retries.forget("a");
        assert!(retries.again("a", None) < Duration::from_secs(2));
    }

    #[test]
    fn azures_word_is_the_shortest_wait() {
        let asked = Duration::from_secs(60);
        assert!(Retries::default().again("a", Some(asked)) >= asked);
    }

    #[test]
    fn intervals_keep_near_what_was_asked() {
        for _ in 0..100 {
            let interval = jittered(Duration::from_secs(100)).as_secs_f64();
            assert!((90.0..=110.0).contains(&interval), "{interval}");
        }
    }
}
