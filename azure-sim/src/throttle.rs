//! ARM's request limits as token buckets, one per subscription, caller and class of request.
//! Sizes and refill rates are those of
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>.

use std::collections::HashMap;
use std::time::Instant;

use http::Method;

use crate::clock::Clock;

/// A class of requests that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestClass {
    Reads,
    Writes,
    Deletes,
}

impl RequestClass {
    pub(crate) fn of(method: &Method) -> Self {
        match method.as_str() {
            "GET" | "HEAD" => Self::Reads,
            "DELETE" => Self::Deletes,
            _ => Self::Writes,
        }
    }

    /// Size of the bucket, and tokens added per second.
    fn size_and_refill(self) -> (f64, f64) {
        match self {
            Self::Reads => (250.0, 25.0),
            Self::Writes | Self::Deletes => (200.0, 10.0),
        }
    }

    /// The class in the name of the header `x-ms-ratelimit-remaining-subscription-{class}`.
    pub(crate) fn header_suffix(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Deletes => "deletes",
        }
    }
}

/// A bucket is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// Seconds until the bucket holds a token again, rounded up.
    pub(crate) retry_after: u64,
}

/// All buckets. A bucket is created full at the first request that needs it.
#[derive(Debug)]
pub(crate) struct TokenBuckets {
    clock: Clock,
    levels: HashMap<(String, String, RequestClass), Level>,
}

#[derive(Debug)]
struct Level {
    left: f64,
    updated: Instant,
}

impl TokenBuckets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            levels: HashMap::new(),
        }
    }

    /// Takes one token and returns how many whole tokens are left.
    pub(crate) fn take(
        &mut self,
        subscription: &str,
        caller: &str,
        class: RequestClass,
    ) -> Result<u64, Throttled> {
        let (size, refill) = class.size_and_refill();
        let key = (subscription.to_lowercase(), caller.to_owned(), class);
        let level = self.levels.entry(key).or_insert_with(|| Level {
            left: size,
            updated: Instant::now(),
        });
        level.left = (level.left + self.clock.age(level.updated) * refill).min(size);
        level.updated = Instant::now();
        if level.left < 1.0 {
            let retry_after = self.clock.whole_seconds((1.0 - level.left) / refill);
            return Err(Throttled { retry_after });
        }
        level.left -= 1.0;
        Ok(level.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_empties_its_own_bucket_and_no_other() {
        let mut buckets = TokenBuckets::new(Clock::new(1.0));
        let mut taken = 0;
        while buckets.take("s", "me", RequestClass::Writes).is_ok() {
            taken += 1;
            assert!(taken < 10_000, "writes are never refused");
        }
        assert!(taken >= 200);
        assert!(buckets.take("s", "me", RequestClass::Reads).is_ok());
        assert!(buckets.take("s", "you", RequestClass::Writes).is_ok());
        assert!(buckets.take("s2", "me", RequestClass::Writes).is_ok());
    }
}
