//! Readiness as a set of named debts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// What a process still owes before it may be called ready.
///
/// Whoever starts something that must have worked first takes a [`Debt`] and drops it when it has.
/// A debt can be taken again at any time, for instance when an upstream is lost: the process is
/// then not ready until that is paid too. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Debug, Default)]
struct Ledger {
    next_id: u64,
    open: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    name: Cow<'static, str>,
    since: Instant,
}

/// One open debt, as `/readyz` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unpaid {
    /// What is still owed.
    pub name: String,
    /// For how long, in whole seconds.
    pub seconds: u64,
}

impl Readiness {
    /// A process that owes nothing, hence is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a debt. Dropping the returned guard pays it.
    #[must_use = "dropping the debt pays it at once"]
    pub fn owe(&self, name: impl Into<Cow<'static, str>>) -> Debt {
        let mut ledger = self.ledger();
        let id = ledger.next_id;
        ledger.next_id += 1;
        let entry = Entry {
            name: name.into(),
            since: Instant::now(),
        };
        tracing::debug!(debt = %entry.name, "not ready until this is done");
        ledger.open.insert(id, entry);
        Debt {
            readiness: self.clone(),
            id,
        }
    }

    /// Whether nothing is owed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ledger().open.is_empty()
    }

    /// The open debts, oldest first.
    #[must_use]
    pub fn unpaid(&self) -> Vec<Unpaid> {
        let unpaid = |entry: &Entry| Unpaid {
            name: entry.name.to_string(),
            seconds: entry.since.elapsed().as_secs(),
        };
        self.ledger().open.values().map(unpaid).collect()
    }

    fn pay(&self, id: u64) {
        let mut ledger = self.ledger();
        let Some(entry) = ledger.open.remove(&id) else {
            return;
        };
        let took: Duration = entry.since.elapsed();
        let left = ledger.open.len();
        tracing::info!(debt = %entry.name, ?took, left, ready = left == 0, "readiness debt paid");
    }

    /// Nothing here can panic while the lock is held, so a poisoned ledger is still a true one.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A debt of [`Readiness`], paid when dropped; but not when dropped by a panic, because then the
/// thing owed was not done.
#[derive(Debug)]
pub struct Debt {
    readiness: Readiness,
    id: u64,
}

impl Drop for Debt {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.readiness.pay(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn debts_are_listed_with_their_age_and_paid_by_dropping() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());

        let watches = readiness.owe("watches synced");
        tokio::time::advance(Duration::from_secs(3)).await;
        let rules = readiness.owe("rules in place");
        let names: Vec<_> = readiness
            .unpaid()
            .into_iter()
            .map(|d| (d.name, d.seconds))
            .collect();
        assert_eq!(
            names,
            [("watches synced".into(), 3), ("rules in place".into(), 0)]
        );

        drop(watches);
        assert!(!readiness.is_ready(), "one debt is still open");
        drop(rules);
        assert!(readiness.is_ready());
    }

    #[test]
    fn a_debt_can_be_taken_again_later() {
        let readiness = Readiness::new();
        drop(readiness.owe("api server reachable"));
        let again = readiness.owe("api server reachable");
        assert!(!readiness.is_ready());
        drop(again);
        assert!(readiness.is_ready());
    }

    #[test]
    fn two_debts_of_one_name_are_two_debts() {
        let readiness = Readiness::new();
        let (first, _second) = (readiness.owe("node"), readiness.owe("node"));
        drop(first);
        assert_eq!(readiness.unpaid().len(), 1);
    }

    #[test]
    fn a_panic_does_not_pay() {
        let readiness = Readiness::new();
        let debt = readiness.owe("canary");
        let panicked = std::thread::spawn(move || {
            let _held = debt;
            panic!("the canary died");
        });
        assert!(panicked.join().is_err());
        assert!(!readiness.is_ready());
    }
}
