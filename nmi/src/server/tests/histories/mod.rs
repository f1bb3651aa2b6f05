//! Random connections: requests that follow a grammar, with bytes changed, cut and repeated, said in pieces by clients
//! that stay, close their half or go away. Each passes through the HTTP library, validation, the decision and the token
//! sources, as a pod's does.
//!
//! Each connection follows from its seed. One that breaks an invariant is made smaller and printed, with the command that
//! runs it again.

mod grammar;
mod history;
mod life;
mod mutation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use history::History;
use life::Counts;

/// Number of histories in a test run, unless a person asks for another.
const HISTORIES: u64 = 2_000;
/// Environment variable with that number.
const NUMBER_VARIABLE: &str = "PODID_HISTORIES";
/// Environment variable with the one seed to run again.
const SEED_VARIABLE: &str = "PODID_HISTORY_SEED";

/// What a person asks for by an environment variable.
fn asked(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

/// What came of a history, or which invariant it breaks; a panic breaks one too.
fn live(history: &History) -> Result<Counts, String> {
    catch_unwind(AssertUnwindSafe(|| life::live(history))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// The text about a history that breaks an invariant, by the smallest one near it that does.
fn failure(mut history: History, mut broken: String) -> String {
    while let Some((smaller, how)) = history
        .smaller()
        .into_iter()
        .find_map(|smaller| live(&smaller).err().map(|how| (smaller, how)))
    {
        (history, broken) = (smaller, how);
    }
    let seed = history.seed;
    format!(
        "connection {seed} breaks an invariant: {broken}\n\
         run it again: {SEED_VARIABLE}={seed} cargo test -p podid-nmi histories\n\
         its smallest form: {history:?}"
    )
}

/// Lives every `step`th history from the `first` on.
fn live_some(first: u64, number: u64, step: usize) -> Result<Counts, String> {
    let mut sum = Counts::default();
    for seed in (first..=number).step_by(step) {
        let history = History::of(seed);
        match live(&history) {
            Ok(counts) => sum.add(&counts),
            Err(broken) => return Err(failure(history, broken)),
        }
    }
    Ok(sum)
}

#[test]
fn whatever_a_client_says_it_gets_no_token_but_its_own() {
    if let Some(seed) = asked(SEED_VARIABLE) {
        let history = History::of(seed);
        let ended = live(&history);
        assert!(ended.is_ok(), "{}", failure(history, ended.unwrap_err()));
        return;
    }
    let number = asked(NUMBER_VARIABLE).unwrap_or(HISTORIES);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let sum = thread::scope(|scope| {
        let running: Vec<_> = (1..=threads as u64)
            .map(|first| scope.spawn(move || live_some(first, number, threads)))
            .collect();
        let mut sum = Counts::default();
        for thread in running {
            match thread.join().unwrap() {
                Ok(counts) => sum.add(&counts),
                Err(failure) => panic!("{failure}"),
            }
        }
        sum
    });
    println!("{number} connections: {sum}");
    // Else it would show nothing: a tenth of what is said gets a token, and a tenth a refusal.
    assert!(10 * sum.tokens() > sum.requests, "{sum}");
    assert!(10 * sum.refusals() > sum.requests, "{sum}");
}
