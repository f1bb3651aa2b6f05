//! Random histories of one target, against a model of Azure.
//!
//! Each history follows from its seed. One that breaks an invariant is made smaller and printed, with the
//! command that runs it again.

pub(super) mod azure;
mod calls;
mod checks;
pub(super) mod history;
mod simulation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use history::History;

/// Number of histories in a test run.
const HISTORIES: usize = 10_000;
/// Environment variable with the one seed to run, with all its events in the output.
const SEED_VARIABLE: &str = "PODID_HISTORY_SEED";

/// Which invariant a history breaks; a panic breaks one too.
fn broken_by(history: &History) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| simulation::run(history))) {
        Ok(result) => result.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

/// The smallest history near this one that breaks an invariant.
fn shrunk(mut history: History, mut broken: String) -> (History, String) {
    while let Some((smaller, how)) = history
        .smaller()
        .into_iter()
        .find_map(|smaller| broken_by(&smaller).map(|how| (smaller, how)))
    {
        (history, broken) = (smaller, how);
    }
    (history, broken)
}

/// The text about this seed, if its history breaks an invariant.
fn failure_of(seed: usize) -> Option<String> {
    let history = History::of(seed as u64);
    let (history, broken) = shrunk(history.clone(), broken_by(&history)?);
    let steps = history.steps.iter();
    let steps: String = steps
        .map(|(wait, what)| format!("\n  after {wait:?}: {what:?}"))
        .collect();
    Some(format!(
        "history {seed} breaks an invariant: {broken}\n\
         run it again: {SEED_VARIABLE}={seed} cargo test -p podid-core histories\n\
         its smallest form (system-assigned identity: {}):{steps}",
        history.system_assigned
    ))
}

#[test]
fn no_history_breaks_an_invariant() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a person chooses the seed to run again"
    )]
    let again = std::env::var(SEED_VARIABLE).ok();
    let failure = match again {
        Some(seed) => failure_of(seed.parse().expect("the seed is a number")),
        None => thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(2, usize::from);
            let of =
                |first: usize| move || (first..HISTORIES).step_by(threads).find_map(failure_of);
            let running: Vec<_> = (0..threads).map(|first| scope.spawn(of(first))).collect();
            let ended = running
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            ended.flatten().next()
        }),
    };
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}
