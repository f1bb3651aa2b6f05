//! Who may take the Lease by which replicas agree who leads, and how long its holder may write.
//!
//! No other machine's clock is believed. A replica that waits goes by how long the Lease has not changed while it
//! looked, and the holder by when it asked for what it was granted.

use std::time::Duration;

use crate::moment::Moment;

/// How long a Lease that nobody renews keeps others from leading.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);

/// How long a holder may write after it asked for the renewal that it was granted last. The rest of
/// [`LEASE_DURATION`] is for writes that have left and have not arrived.
pub const WRITE_DURATION: Duration = Duration::from_secs(12);

/// What is decided on of a Lease that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// The replica that holds it, if one does.
    pub holder: Option<String>,
    /// How long the holder wants to be waited for.
    pub duration: Duration,
    /// Differs after every write of the object.
    pub version: String,
}

/// A replica that does not lead, and what it has seen of the holder.
#[derive(Debug)]
pub struct Candidate {
    replica: String,
    awaited: Option<Awaited>,
}

/// A state in which another replica held the Lease.
#[derive(Debug)]
struct Awaited {
    version: String,
    until: Moment,
}

impl Candidate {
    /// A replica that has not seen the Lease yet.
    #[must_use]
    pub fn new(replica: String) -> Self {
        let awaited = None;
        Self { replica, awaited }
    }

    /// Whether the replica may take the Lease that it has just read; `None` if there is none. `now` is when the
    /// answer came.
    ///
    /// A Lease that was deleted may still be held by a replica that has not noticed.
    pub fn may_take(&mut self, lease: Option<&LeaseState>, now: Moment) -> bool {
        if let Some(lease) = lease {
            match &lease.holder {
                None => return true,
                Some(holder) if *holder == self.replica => return true,
                Some(_) => self.see_held(lease, now),
            }
        }
        let awaited = self.awaited.as_ref();
        awaited.is_none_or(|awaited| awaited.until <= now)
    }

    fn see_held(&mut self, lease: &LeaseState, now: Moment) {
        let version = &lease.version;
        let is_known = |awaited: &Awaited| awaited.version == *version;
        if !self.awaited.as_ref().is_some_and(is_known) {
            self.awaited = Some(Awaited {
                version: version.clone(),
                until: now + lease.duration,
            });
        }
    }
}

/// When a holder must have stopped writing that asked at `asked` for what it was granted.
#[must_use]
pub fn writes_until(asked: Moment) -> Moment {
    asked + WRITE_DURATION
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn held(holder: &str, version: &str) -> LeaseState {
        LeaseState {
            holder: Some(holder.to_owned()),
            duration: LEASE_DURATION,
            version: version.to_owned(),
        }
    }

    fn candidate() -> Candidate {
        Candidate::new("me".to_owned())
    }

    #[test]
    fn what_is_free_or_ones_own_is_taken_at_once() {
        let free = LeaseState {
            holder: None,
            ..held("", "1")
        };
        for lease in [None, Some(&free), Some(&held("me", "1"))] {
            assert!(candidate().may_take(lease, at(0)), "{lease:?}");
        }
        let mut waiting = candidate();
        assert!(!waiting.may_take(Some(&held("other", "1")), at(0)));
        assert!(waiting.may_take(Some(&free), at(1)), "it was released");
    }

    #[test]
    fn another_holder_is_waited_for_until_it_has_been_silent_for_long_enough() {
        let mut waiting = candidate();
        for (version, now, may) in [
            ("1", 100, false),
            ("1", 114, false),
            ("2", 115, false),
            ("2", 129, false),
            ("2", 130, true),
        ] {
            let lease = held("other", version);
            assert_eq!(waiting.may_take(Some(&lease), at(now)), may, "{now}");
        }
    }

    #[test]
    fn the_holder_of_a_lease_that_was_deleted_is_waited_for_as_well() {
        let mut waiting = candidate();
        assert!(!waiting.may_take(Some(&held("other", "1")), at(10)));
        assert!(!waiting.may_take(None, at(24)));
        assert!(waiting.may_take(None, at(25)));
    }

    proptest! {
        /// A holder renews, each time some milliseconds after the time before and with an answer that takes a while, and
        /// then no more. Whenever another looks, it takes the Lease only after the holder has stopped writing.
        #[test]
        fn nobody_takes_what_the_holder_may_still_write_by(
            renewals in vec((0..11_000_u64, 0..3_000_u64), 1..8),
            looks in vec(1..4_000_u64, 1..60),
        ) {
            let millis = |millis| Moment::after_start(Duration::from_millis(millis));
            // When each renewal was asked for, and when it was stored.
            let mut time = 0;
            let mut stored = Vec::new();
            for (pause, delay) in renewals {
                time += pause;
                stored.push((time, time + delay));
                time += delay;
            }
            let mut waiting = candidate();
            let mut now = 0;
            for look in looks {
                now += look;
                let Some(last) = stored.iter().rposition(|(_, at)| *at <= now) else {
                    continue;
                };
                let lease = held("other", &last.to_string());
                if waiting.may_take(Some(&lease), millis(now)) {
                    let (asked, _) = stored[last];
                    prop_assert!(writes_until(millis(asked)) < millis(now));
                    break;
                }
            }
        }
    }
}
