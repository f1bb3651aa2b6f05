//! The limits that Azure publishes, and how much of each podid uses.
//!
//! ARM gives each principal in each subscription buckets of tokens
//! (<https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>): 250 reads
//! and 25 more a second, 200 writes and 10 more a second, 200 deletes and 10 more a second; the same for calls that are
//! in no subscription.
//!
//! The API of managed identities has limits of its own. A subscription may make or change 2 identities a second and
//! delete as many
//! (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>), and make 80 in 20
//! seconds in one region
//! (<https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits>). It may
//! read 10 a second, which is more than the reads of ARM leave for identities: of the four or more that a profile
//! costs one is of its identity.
//!
//! What podid takes is less:
//!
//! - Of each bucket four fifths. The rest is for other clients with the same identity, and for calls that are
//!   under way for different times and so arrive closer together than they left.
//! - Of what is added in a second a twentieth less, so that the bucket in Azure gets over what others took.
//! - At its start no more than the fifth which no earlier process with the same limits can have used: the bucket in
//!   Azure may be as empty as the process before left it.
//! - Identities: what 80 in 20 seconds allow at 2 a second, less what a start may add.

use std::time::Duration;

use serde::Serialize;

use super::priority::CallPriority;
use crate::moment::Moment;
use crate::token_bucket::TokenBucket;

/// A limit of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Limit {
    Reads,
    Writes,
    Deletes,
    IdentityWrites,
    IdentityDeletes,
}

/// How much of a limit podid uses.
struct Share {
    /// Calls at once.
    size: u32,
    /// One more call in each.
    refill: Duration,
    /// Calls at once after a start, and those that background calls leave to others.
    reserve: u32,
}

impl Limit {
    pub(super) const ALL: [Self; 5] = [
        Self::Reads,
        Self::Writes,
        Self::Deletes,
        Self::IdentityWrites,
        Self::IdentityDeletes,
    ];

    const fn share(self) -> Share {
        let (size, refill, reserve) = match self {
            Self::Reads => (200, 42, 50),
            Self::Writes | Self::Deletes => (160, 105, 40),
            Self::IdentityWrites | Self::IdentityDeletes => (30, 500, 10),
        };
        Share {
            size,
            refill: Duration::from_millis(refill),
            reserve,
        }
    }

    /// The bucket of a process that began then.
    pub(super) fn since(self, started: Moment) -> TokenBucket {
        let Share {
            size,
            refill,
            reserve,
        } = self.share();
        TokenBucket::full(size, refill).holding(reserve, started)
    }

    /// How many tokens calls of a priority leave to others.
    pub(super) const fn left_by(self, priority: CallPriority) -> u32 {
        match priority {
            CallPriority::Awaited => 0,
            CallPriority::Background => self.share().reserve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most calls of a limit that podid makes within `seconds`, whenever they begin, and however often the process is
    /// started anew meanwhile.
    fn most(limit: Limit, seconds: u64, starts: u32) -> f64 {
        let Share {
            size,
            refill,
            reserve,
        } = limit.share();
        let refilled = seconds as f64 / refill.as_secs_f64();
        f64::from(size) + f64::from(reserve * starts) + refilled
    }

    #[test]
    fn what_is_published_is_kept_also_when_the_process_is_started_anew() {
        for (limit, size, per_second) in [
            (Limit::Reads, 250.0, 25.0),
            (Limit::Writes, 200.0, 10.0),
            (Limit::Deletes, 200.0, 10.0),
        ] {
            for seconds in [0, 1, 20, 3600] {
                let allowed = size + per_second * seconds as f64;
                assert!(most(limit, seconds, 1) <= allowed, "{limit:?} {seconds}");
            }
        }
        for limit in [Limit::IdentityWrites, Limit::IdentityDeletes] {
            assert!(most(limit, 20, 1) <= 80.0, "{limit:?}");
            assert!(limit.share().refill >= Duration::from_millis(500));
        }
    }

    #[test]
    fn what_background_calls_leave_is_a_part_of_the_bucket() {
        for limit in Limit::ALL {
            let Share { size, reserve, .. } = limit.share();
            assert!(0 < reserve && reserve < size / 2, "{limit:?}");
        }
    }
}
