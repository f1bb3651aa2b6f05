//! Readiness as a set of named checks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The checks that must have passed before a process is ready.
///
/// Whoever starts something that must have worked first registers a [`ReadinessCheck`], and lets it pass
/// when it has worked. A check can be registered again at any time, for instance when the API server
/// is lost: the process is then not ready until that check has passed too. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    checks: Arc<Mutex<Checks>>,
}

#[derive(Debug, Default)]
struct Checks {
    next_id: u64,
    pending: BTreeMap<u64, Registered>,
}

#[derive(Debug)]
struct Registered {
    name: Cow<'static, str>,
    since: Instant,
}

/// A check that has not passed yet, as `/readyz` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingCheck {
    /// What must still work, for people to read.
    pub name: String,
    /// Whole seconds since it was registered.
    pub seconds: u64,
}

impl Readiness {
    /// No checks: a process that is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a check, which holds until [`ReadinessCheck::pass`]. Two of one name are two checks.
    #[must_use = "the process never gets ready when this is dropped"]
    pub fn register(&self, name: impl Into<Cow<'static, str>>) -> ReadinessCheck {
        let mut checks = self.lock();
        let id = checks.next_id;
        checks.next_id += 1;
        let registered = Registered {
            name: name.into(),
            since: Instant::now(),
        };
        tracing::debug!(check = %registered.name, "not ready until this check passes");
        checks.pending.insert(id, registered);
        ReadinessCheck {
            readiness: self.clone(),
            id,
        }
    }

    /// Whether every check has passed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().pending.is_empty()
    }

    /// The checks that have not passed, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingCheck> {
        let pending = |check: &Registered| PendingCheck {
            name: check.name.to_string(),
            seconds: check.since.elapsed().as_secs(),
        };
        self.lock().pending.values().map(pending).collect()
    }

    fn pass(&self, id: u64) {
        let mut checks = self.lock();
        let Some(check) = checks.pending.remove(&id) else {
            return;
        };
        let took: Duration = check.since.elapsed();
        let left = checks.pending.len();
        tracing::info!(check = %check.name, ?took, left, ready = left == 0, "readiness check passed");
    }

    /// Nothing here can panic while the lock is held, so the state behind a poisoned lock is whole.
    fn lock(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A check of [`Readiness`]. One that is dropped never passes: an error or a panic has come before what it stands
/// for has worked.
#[derive(Debug)]
pub struct ReadinessCheck {
    readiness: Readiness,
    id: u64,
}

impl ReadinessCheck {
    /// What the check stands for has worked.
    pub fn pass(self) {
        self.readiness.pass(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn checks_are_listed_with_their_age_until_they_pass() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());

        let watches = readiness.register("watches synced");
        tokio::time::advance(Duration::from_secs(3)).await;
        let rules = readiness.register("rules in place");
        let names: Vec<_> = readiness
            .pending()
            .into_iter()
            .map(|check| (check.name, check.seconds))
            .collect();
        assert_eq!(
            names,
            [("watches synced".into(), 3), ("rules in place".into(), 0)]
        );

        watches.pass();
        assert!(!readiness.is_ready(), "one check is still pending");
        rules.pass();
        assert!(readiness.is_ready());
    }

    #[test]
    fn a_check_can_be_registered_again_later() {
        let readiness = Readiness::new();
        readiness.register("api server reachable").pass();
        let again = readiness.register("api server reachable");
        assert!(!readiness.is_ready());
        again.pass();
        assert!(readiness.is_ready());
    }

    #[test]
    fn two_checks_of_one_name_are_two_checks() {
        let readiness = Readiness::new();
        let (first, _second) = (readiness.register("node"), readiness.register("node"));
        first.pass();
        assert_eq!(readiness.pending().len(), 1);
    }

    #[test]
    fn an_error_does_not_let_a_check_pass() {
        fn install(_check: ReadinessCheck) -> Result<(), &'static str> {
            Err("the kernel refused")
        }
        let readiness = Readiness::new();
        assert!(install(readiness.register("rules in place")).is_err());
        assert!(!readiness.is_ready());
    }
}
