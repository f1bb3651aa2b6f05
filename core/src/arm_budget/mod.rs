//! Which calls to Azure Resource Manager may leave now, so that Azure refuses none for their number.
//!
//! There is a token bucket for each limit that Azure publishes, in each subscription (`limit` has the numbers). A
//! call that finds its bucket empty is held back: it does not leave, and is told when to come again. Nobody waits in
//! its place meanwhile.
//!
//! Calls that nobody waits for leave the last tokens to those that a person or a pod waits for.

mod limit;
mod priority;
mod requests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use priority::CallPriority;
pub use requests::{ExpectedRequests, RequestKind};

use crate::moment::Moment;
use crate::token_bucket::TokenBucket;
use limit::Limit;

/// Longest time for which an answer of Azure holds back the calls of a subscription. The longest that was seen
/// asked for is about 20 minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Azure's code for a call that came after too many of its kind in the subscription. Every other code, as
/// `TooManyRequests` or `OperationNotAllowed`, is about one resource or one provider.
const SUBSCRIPTION_THROTTLED: &str = "SubscriptionRequestsThrottled";

/// The calls to Azure Resource Manager that may still be made, in each subscription. Letter case of its id does
/// not count; without one it is about calls that are in no subscription, which have limits of their own.
///
/// **Guarantee.** However it is asked, the calls that leave within a span of time are no more than a bucket holds and
/// is refilled with in it.
#[derive(Clone, Debug, Default)]
pub struct ArmBudget {
    started: Moment,
    /// The buckets that are not full.
    buckets: BTreeMap<(String, Limit), TokenBucket>,
    /// The last time at which a call that was held back was told to come again.
    turns: BTreeMap<(String, RequestKind, CallPriority), Moment>,
}

impl ArmBudget {
    /// The budget of a process that begins to make calls now, on the clock that all else is given.
    #[must_use]
    pub fn started(now: Moment) -> Self {
        Self {
            started: now,
            ..Self::default()
        }
    }

    /// A call is about to leave.
    ///
    /// # Errors
    /// It is held back; the time after which it is to come again. No two calls get the same time, so that they do
    /// not all come for the one that may leave then.
    pub fn take(
        &mut self,
        subscription: Option<&str>,
        request: RequestKind,
        priority: CallPriority,
        now: Moment,
    ) -> Result<(), Duration> {
        let subscription = key(subscription);
        let wait = |limit: &Limit| {
            let bucket = self.bucket(&subscription, *limit);
            let wait = bucket.wait(1 + limit.left_by(priority), now)?;
            Some((wait, bucket))
        };
        let waits = request.limits().iter().filter_map(wait);
        if let Some((wait, bucket)) = waits.max_by_key(|(wait, _)| *wait) {
            return Err(self.turn((subscription, request, priority), wait, &bucket, now));
        }
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        for limit in request.limits() {
            let mut bucket = self.bucket(&subscription, *limit);
            bucket.take(now);
            self.buckets.insert((subscription.clone(), *limit), bucket);
        }
        Ok(())
    }

    /// How long until there is room for all of these calls beside those that are `promised` to others; `None` if there is
    /// now.
    #[must_use]
    pub fn wait(
        &self,
        subscription: Option<&str>,
        expected: &ExpectedRequests,
        promised: &ExpectedRequests,
        priority: CallPriority,
        now: Moment,
    ) -> Option<Duration> {
        let subscription = key(subscription);
        let wait = |limit: Limit| {
            let count = Some(expected.of(limit)).filter(|count| *count > 0)?;
            let others = promised.of(limit).saturating_add(limit.left_by(priority));
            let tokens = count.saturating_add(others);
            self.bucket(&subscription, limit).wait(tokens, now)
        };
        Limit::ALL.into_iter().filter_map(wait).max()
    }

    /// Azure refused a call with this code. If the subscription has had too many of its kind, others use the same limit:
    /// then none of that kind is made before Azure's `Retry-After` is over, and no burst when it is. Any other code
    /// changes nothing, so that a resource which is throttled leaves the others alone.
    pub fn refused(
        &mut self,
        subscription: Option<&str>,
        request: RequestKind,
        code: &str,
        retry_after: Option<Duration>,
        now: Moment,
    ) {
        if code != SUBSCRIPTION_THROTTLED {
            return;
        }
        let subscription = key(subscription);
        let pause = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let limit = request.limit_of_arm();
        let mut bucket = self.bucket(&subscription, limit);
        bucket.empty_until(now + pause);
        self.buckets.insert((subscription, limit), bucket);
    }

    fn bucket(&self, subscription: &str, limit: Limit) -> TokenBucket {
        let known = self.buckets.get(&(subscription.to_owned(), limit));
        known.copied().unwrap_or_else(|| limit.since(self.started))
    }

    /// When a call that has to wait comes again: one refill after the one before, unless that is later than a
    /// whole bucket takes. Then those before have had their turns, or have not come.
    fn turn(
        &mut self,
        caller: (String, RequestKind, CallPriority),
        wait: Duration,
        bucket: &TokenBucket,
        now: Moment,
    ) -> Duration {
        self.turns.retain(|_, turn| *turn > now);
        let first = now + wait;
        let next = self.turns.get(&caller).map(|last| *last + bucket.refill());
        let turn = next
            .filter(|next| *next <= first + bucket.refill_of_all())
            .map_or(first, |next| next.max(first));
        self.turns.insert(caller, turn);
        turn.saturating_duration_since(now)
    }
}

fn key(subscription: Option<&str>) -> String {
    subscription.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
