//! ARM's request budget: token buckets per subscription, caller and kind of operation, and the
//! headers that tell what is left.

use std::collections::HashMap;
use std::time::Instant;

use http::{Method, StatusCode};

use super::error::ArmError;
use crate::clock::Clock;
use crate::wire::Reply;

/// Kinds of operation with a budget of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Budget {
    Reads,
    Writes,
    Deletes,
}

impl Budget {
    pub(super) fn of(method: &Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" => Self::Reads,
            "DELETE" => Self::Deletes,
            _ => Self::Writes,
        }
    }

    /// Size and refill per second, as Azure documents them.
    fn size(self) -> (f64, f64) {
        match self {
            Self::Reads => (250.0, 25.0),
            Self::Writes | Self::Deletes => (200.0, 10.0),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Deletes => "deletes",
        }
    }
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    clock: Clock,
    levels: HashMap<(String, String, Budget), Level>,
}

#[derive(Debug)]
struct Level {
    left: f64,
    at: Instant,
}

impl Buckets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            levels: HashMap::new(),
        }
    }

    /// Takes one request out of a bucket; how many are left, or the refusal.
    pub(super) fn take(
        &mut self,
        container: &str,
        caller: &str,
        budget: Budget,
    ) -> Result<u64, ArmError> {
        let (size, refill) = budget.size();
        let key = (container.to_lowercase(), caller.to_owned(), budget);
        let level = self.levels.entry(key).or_insert_with(|| Level {
            left: size,
            at: Instant::now(),
        });
        level.left = (level.left + self.clock.age(level.at) * refill).min(size);
        level.at = Instant::now();
        if level.left < 1.0 {
            let wait = self.clock.whole_seconds((1.0 - level.left) / refill);
            return Err(refusal(container, wait));
        }
        level.left -= 1.0;
        Ok(level.left as u64)
    }
}

fn refusal(container: &str, wait: u64) -> ArmError {
    let message = format!(
        "Number of requests for subscription '{container}' and operation exceeded the limit. \
         Please try again after '{wait}' seconds."
    );
    ArmError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "SubscriptionRequestsThrottled",
        message,
    )
    .with("retry-after", wait.to_string())
}

/// The header that tells what is left.
pub(super) fn remaining(reply: Reply, tenant_level: bool, budget: Budget, left: u64) -> Reply {
    let level = if tenant_level {
        "tenant"
    } else {
        "subscription"
    };
    reply.with(
        &format!("x-ms-ratelimit-remaining-{level}-{}", budget.word()),
        left.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_empties_a_bucket_and_only_that() {
        let mut buckets = Buckets::new(Clock::new(1.0));
        let mut taken = 0;
        while buckets.take("s", "me", Budget::Writes).is_ok() {
            taken += 1;
            assert!(taken < 10_000, "writes are never refused");
        }
        assert!(taken >= 200);
        assert!(buckets.take("s", "me", Budget::Reads).is_ok());
        assert!(buckets.take("s", "you", Budget::Writes).is_ok());
        assert!(buckets.take("s2", "me", Budget::Writes).is_ok());
    }
}
