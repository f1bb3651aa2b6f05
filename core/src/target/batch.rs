//! How long changes are collected before they go out together. A change that leaves too early makes those that
//! come right after it wait for all of its time.

use std::time::Duration;

use super::id::TargetKind;
use crate::moment::Moment;

/// A pause without arrivals of this part of what a change takes ends the collecting: so much is added to the time
/// of a single arrival at most.
const QUIET_PART: u32 = 10;
const MAX_QUIET: Duration = Duration::from_secs(5);
/// Arrivals that do not pause are collected for as long as this many changes take, and no longer than
/// [`MAX_LONGEST`].
const LONGEST_CHANGES: u32 = 2;
const MAX_LONGEST: Duration = Duration::from_secs(20);

/// What is assumed before a change of the target was seen to end. A scale set takes half a minute and more in
/// Azure, a VM some seconds.
const UNKNOWN_SET_QUIET: Duration = Duration::from_secs(1);
const UNKNOWN_SET_LONGEST: Duration = Duration::from_secs(20);
const UNKNOWN_VM_LONGEST: Duration = Duration::from_secs(2);

/// The changes of what is desired since the last comparison began, and what a change of this target takes.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    kind: TargetKind,
    /// Shortest time of collecting.
    window: Duration,
    /// What changes take, the last ones above all.
    latency: Option<Duration>,
    /// When the first and the last change arrived.
    arrivals: Option<(Moment, Moment)>,
}

impl Batch {
    pub(super) fn new(kind: TargetKind, window: Duration) -> Self {
        Self {
            kind,
            window,
            latency: None,
            arrivals: None,
        }
    }

    /// Something else is desired.
    pub(super) fn arrived(&mut self, now: Moment) {
        let first = self.arrivals.map_or(now, |(first, _)| first);
        self.arrivals = Some((first, now));
    }

    /// A comparison begins with all that has arrived.
    pub(super) fn take(&mut self) {
        self.arrivals = None;
    }

    /// A change of the target took this long.
    pub(super) fn measured(&mut self, took: Duration) {
        self.latency = Some(self.latency.map_or(took, |latency| (latency + took) / 2));
    }

    /// When what has arrived is to go out: when nothing more has come for a while, or the first has waited long
    /// enough. `is_full`: as much as fits into one change.
    pub(super) fn due(&self, is_full: bool, now: Moment) -> Moment {
        let Some((first, last)) = self.arrivals else {
            return now;
        };
        if is_full {
            return now.max(first + self.window);
        }
        (last + self.quiet()).min(first + self.longest())
    }

    fn quiet(&self) -> Duration {
        let quiet = match (self.latency, self.kind) {
            (Some(latency), _) => (latency / QUIET_PART).min(MAX_QUIET),
            (None, TargetKind::ScaleSet) => UNKNOWN_SET_QUIET,
            (None, TargetKind::Vm) => Duration::ZERO,
        };
        quiet.max(self.window)
    }

    fn longest(&self) -> Duration {
        let longest = match (self.latency, self.kind) {
            (Some(latency), _) => (latency * LONGEST_CHANGES).min(MAX_LONGEST),
            (None, TargetKind::ScaleSet) => UNKNOWN_SET_LONGEST,
            (None, TargetKind::Vm) => UNKNOWN_VM_LONGEST,
        };
        longest.max(self.window)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_millis(250);

    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    fn batch(latency: u64, arrivals: &[u64]) -> Batch {
        let mut batch = Batch::new(TargetKind::ScaleSet, WINDOW);
        batch.measured(Duration::from_secs(latency));
        arrivals
            .iter()
            .for_each(|millis| batch.arrived(at(*millis)));
        batch
    }

    #[test]
    fn the_dearer_a_change_is_the_longer_others_are_waited_for() {
        // Latency in seconds, arrivals in milliseconds, when they go out.
        let table: [(u64, &[u64], u64); 6] = [
            (2, &[0], 250),
            (40, &[0], 4_000),
            (40, &[0, 3_000], 7_000),
            (600, &[0], 5_000),
            (
                1,
                &[0, 240, 480, 720, 960, 1_200, 1_440, 1_680, 1_920],
                2_000,
            ),
            (
                40,
                &[0, 3_000, 6_000, 9_000, 12_000, 15_000, 18_000],
                20_000,
            ),
        ];
        for (latency, arrivals, due) in table {
            let found = batch(latency, arrivals).due(false, at(0));
            assert_eq!(found, at(due), "{latency} s, {arrivals:?}");
        }
    }

    #[test]
    fn a_full_change_waits_for_nothing_more() {
        let batch = batch(40, &[0, 1_000]);
        assert_eq!(batch.due(true, at(1_000)), at(1_000));
        assert_eq!(batch.due(true, at(100)), at(250), "which is soon enough");
    }

    #[test]
    fn what_was_not_measured_is_assumed_by_the_kind() {
        let due = |kind| {
            let mut batch = Batch::new(kind, WINDOW);
            batch.arrived(at(0));
            batch.due(false, at(0))
        };
        assert_eq!(due(TargetKind::Vm), at(250));
        assert_eq!(due(TargetKind::ScaleSet), at(1_000));
    }

    #[test]
    fn the_last_changes_tell_most_of_the_price() {
        let mut batch = batch(2, &[0]);
        (0..5).for_each(|_| batch.measured(Duration::from_secs(40)));
        let due = batch.due(false, at(0));
        assert!((at(3_500)..at(4_000)).contains(&due), "{due}");
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_the_window_or_longer_than_two_changes(
            latency in 0..2_000u64, mut arrivals in vec(0..60_000u64, 1..50), is_full: bool,
        ) {
            arrivals.sort_unstable();
            let (first, last) = (at(arrivals[0]), at(*arrivals.last().expect("one")));
            let due = batch(latency, &arrivals).due(is_full, last);
            let longest = Duration::from_secs(2 * latency).min(MAX_LONGEST).max(WINDOW);
            prop_assert!(due >= first + WINDOW);
            prop_assert!(due <= last.max(first + longest));
        }
    }
}
