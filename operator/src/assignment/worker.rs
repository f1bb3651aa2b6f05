//! One task a machine: when to deal with it. What comes in while it is busy or within a short
//! window goes out together; a slow machine delays no other.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use podid_azure::ErrorClass;
use podid_core::arm::ArmId;
use podid_core::target::Target;
use podid_runtime::Drain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::machine::{Machine, Next, Trouble, failure_of};
use super::quarantine::{Failure, backoff, with_jitter};
use super::report::Reporter;

/// First and longest wait after trouble that may pass by itself…
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// …and after trouble that a person must end.
const FIRST_REFUSAL: Duration = Duration::from_secs(15);
const LONGEST_REFUSAL: Duration = Duration::from_secs(300);

/// What a machine is to carry. Numbered, so that an answer tells which order it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) number: u64,
    pub(super) desired: BTreeSet<ArmId>,
}

/// When a machine is dealt with.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) machine: Machine,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) reporter: Reporter,
    pub(super) interval: Duration,
    pub(super) window: Duration,
}

impl Worker {
    /// Works until nobody gives orders any more, or until `drain`; what is under way then is
    /// finished first.
    pub(super) async fn run(mut self, drain: Drain) {
        let mut next = Some(Instant::now() + self.window);
        let mut not_before = Instant::now();
        let mut failures = 0;
        loop {
            tokio::select! {
                () = drain.draining() => return,
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What arrives until then goes out together; what arrives then is not put off.
                    let due = not_before.max(Instant::now() + self.window);
                    next = Some(next.map_or(due, |next| next.min(due)));
                    continue;
                }
                () = at(next) => {}
            }
            let order = self.orders.borrow_and_update().clone();
            let result = self
                .machine
                .reconcile(&order.desired, &mut self.reporter)
                .await;
            let now = Instant::now();
            next = match &result {
                Ok(Next::Rest) => None,
                Ok(Next::Compare | Next::Missing) => Some(now + with_jitter(self.interval)),
                Ok(Next::At(time)) => Some((*time).max(now)),
                Err(trouble) => Some(now + wait_after(trouble, failures + 1)),
            };
            (failures, not_before) = match &result {
                Ok(_) => (0, now),
                Err(_) => (failures.saturating_add(1), next.unwrap_or(now)),
            };
            self.report(&order, &result);
        }
    }

    fn report(&mut self, order: &Order, result: &Result<Next, Trouble>) {
        let next = &mut self.reporter.next;
        let mut failures = self.machine.failures();
        if let Some(failure) = explain(&next.target, result) {
            let carries = next.carries.clone().unwrap_or_default();
            for identity in order.desired.difference(&carries) {
                failures
                    .entry(identity.clone())
                    .or_insert_with(|| failure.clone());
            }
        }
        next.order = order.number;
        next.ours = self.machine.ledger().0.clone();
        next.failures = failures;
        next.at_rest = matches!(result, Ok(Next::Rest));
        self.reporter.send();
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// How long to leave a machine alone after the given number of failures in a row.
fn wait_after(trouble: &Trouble, failures: u32) -> Duration {
    let Trouble::Azure(error) = trouble else {
        return backoff(failures, FIRST_RETRY, LONGEST_RETRY);
    };
    match error.class() {
        ErrorClass::Throttled {
            retry_after: Some(asked),
        } => with_jitter(asked) + backoff(1, FIRST_RETRY, LONGEST_RETRY),
        class if class.is_retryable() => {
            let own = backoff(failures, FIRST_RETRY, LONGEST_RETRY);
            own.max(error.retry_after().map(with_jitter).unwrap_or_default())
        }
        _ => backoff(failures, FIRST_REFUSAL, LONGEST_REFUSAL),
    }
}

/// Why nothing of what is desired comes on the machine, if that is so.
fn explain(target: &Target, result: &Result<Next, Trouble>) -> Option<Failure> {
    let trouble = match result {
        Ok(Next::Missing) => {
            return Some(Failure {
                reason: "MachineNotFound".to_owned(),
                note: format!("Azure has no {target}, which the node's provider id names"),
            });
        }
        Ok(_) => return None,
        Err(trouble) => trouble,
    };
    tracing::warn!(machine = %target, error = trouble as &dyn Error, "the machine's identities are not as desired");
    Some(match trouble {
        Trouble::Azure(error) => failure_of(error),
        Trouble::Ledger(error) => Failure {
            reason: "LedgerNotWritten".to_owned(),
            note: error.to_string(),
        },
    })
}

#[cfg(test)]
mod tests;
