//! What a team runs in a cluster of real kubelets, and how it goes.

pub mod jobs;
pub mod pollers;
pub mod team;

use std::time::{Duration, Instant};

/// Longest time that anything here may take on a slow machine, the kubelet's pauses between restarts included.
const LIMIT: Duration = Duration::from_secs(240);

/// Looks until the condition holds.
///
/// # Panics
/// When it does not within [`LIMIT`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "waited {LIMIT:?} until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
