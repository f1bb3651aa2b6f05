//! One task a machine: when to deal with it. What comes in while it is busy or within a short
//! window goes out together; a slow machine delays no other.

use std::time::Duration;

use podid_azure::ErrorClass;
use podid_runtime::Drain;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::failure::explain;
use super::machine::{Machine, Next, Trouble};
use super::order::{News, Order};
use super::quarantine::{BETWEEN_REQUESTS, backoff, with_jitter};
use super::report::Reporter;

/// First and longest wait after trouble that may pass by itself…
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// …and after trouble that a person must end.
const FIRST_REFUSAL: Duration = Duration::from_secs(15);
const LONGEST_REFUSAL: Duration = Duration::from_secs(300);

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
        let mut pause = Pause::default();
        let mut done = Order::default();
        loop {
            tokio::select! {
                () = drain.draining() => return,
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let due = pause.over(self.orders.borrow().news_since(&done));
                    // What arrives until then goes out together; what arrives then is not put off.
                    let due = due.max(Instant::now() + self.window);
                    next = Some(next.map_or(due, |next| next.min(due)));
                    continue;
                }
                () = at(next) => {}
            }
            let order = self.orders.borrow_and_update().clone();
            self.machine.keep(order.wanted.kept.clone());
            self.machine.expect(order.wanted.client_ids.clone());
            order
                .hurried_since(done.number)
                .for_each(|id| self.machine.hurry(id));
            let result = self
                .machine
                .reconcile(&order.wanted.desired, &mut self.reporter)
                .await;
            pause.after(&result);
            next = match &result {
                Ok(Next::Rest) => None,
                Ok(Next::Compare | Next::Missing) => Some(pause.ended + with_jitter(self.interval)),
                Ok(Next::At(time)) => Some((*time).max(pause.ended)),
                Err(_) => Some(pause.until),
            };
            self.report(&order, &result, pause.failures);
            done = order;
        }
    }

    fn report(&mut self, order: &Order, result: &Result<Next, Trouble>, failures_in_row: u32) {
        let next = &mut self.reporter.next;
        let mut failures = self.machine.failures();
        if let Some(failure) = explain(&next.target, result, failures_in_row) {
            let carries = next.carries.clone().unwrap_or_default();
            for identity in order.wanted.desired.difference(&carries) {
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

/// How long a machine is left alone.
#[derive(Debug)]
struct Pause {
    failures: u32,
    /// When the last look ended.
    ended: Instant,
    until: Instant,
    /// Whether a person may cut it short. Not when Azure asked for it.
    firm: bool,
}

impl Default for Pause {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            failures: 0,
            ended: now,
            until: now,
            firm: false,
        }
    }
}

impl Pause {
    fn after(&mut self, result: &Result<Next, Trouble>) {
        self.ended = Instant::now();
        (self.failures, self.until, self.firm) = match result {
            Ok(_) => (0, self.ended, false),
            Err(trouble) => {
                let failures = self.failures.saturating_add(1);
                let until = self.ended + wait_after(trouble, failures);
                (failures, until, is_throttled(trouble))
            }
        };
    }

    /// When the machine may be looked at again.
    fn over(&self, news: News) -> Instant {
        let asked = self.ended + BETWEEN_REQUESTS;
        match news {
            News::Asked if self.failures == 0 => asked,
            News::Asked | News::Both if !self.firm => self.until.min(asked),
            News::Asked | News::Both | News::Wanted => self.until,
        }
    }
}

fn is_throttled(trouble: &Trouble) -> bool {
    let Trouble::Azure(error) = trouble else {
        return false;
    };
    matches!(error.class(), ErrorClass::Throttled { .. })
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

#[cfg(test)]
mod tests;
