//! Random histories of profiles, pods, classes and Azure, on a real API server, with the operator as it is shipped.
//!
//! Each history follows from its seed and has a namespace and a class of its own; some live at once. When one has come
//! to rest, Azure is what the profiles ask for and each status is true; when all have been taken down, nothing is left.

mod history;
mod life;
mod model;
mod rest;

use futures::StreamExt;
use futures::stream;

use super::crashes::left;
use super::scene::Scene;
use history::History;

/// Number of histories in a test run, unless a person asks for another.
const HISTORIES: u64 = 60;
/// Environment variable with that number.
const NUMBER_VARIABLE: &str = "PODID_HISTORIES";
/// Histories that live at the same time.
const AT_ONCE: usize = 12;
/// Environment variable with the one seed to run again, which is then made smaller.
const SEED_VARIABLE: &str = "PODID_HISTORY_SEED";

/// What a person asks for by an environment variable.
fn asked(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

/// The smallest history near this one that does not come to rest either.
async fn shrunk(scene: &Scene, mut history: History, mut broken: String) -> (History, String) {
    'smaller: loop {
        for smaller in history.smaller() {
            if let Err(how) = life::live(scene, &smaller).await {
                (history, broken) = (smaller, how);
                continue 'smaller;
            }
        }
        return (history, broken);
    }
}

#[tokio::test]
async fn whatever_happens_it_comes_to_what_is_desired() {
    let scene = Scene::open("histories").await;
    let before = left(&scene).await;
    if let Some(seed) = asked(SEED_VARIABLE) {
        let history = History::of(seed);
        let Err(broken) = life::live(&scene, &history).await else {
            return;
        };
        let (history, broken) = shrunk(&scene, history, broken).await;
        panic!("history {seed}: {broken}\nits smallest form: {history:#?}");
    }
    let number = asked(NUMBER_VARIABLE).unwrap_or(HISTORIES);
    let lives = (1..=number).map(|seed| {
        let scene = &scene;
        async move {
            let ended = life::live(scene, &History::of(seed)).await;
            ended.err().map(|broken| (seed, broken))
        }
    });
    let mut ended = stream::iter(lives).buffer_unordered(AT_ONCE);
    while let Some(end) = ended.next().await {
        if let Some((seed, broken)) = end {
            panic!(
                "history {seed}: {broken}\nothers lived beside it; run it again alone, and have it made smaller: {SEED_VARIABLE}={seed} \
                 cargo xtask test cluster -- histories"
            );
        }
    }
    let left = rest::until(async || {
        let after = left(&scene).await;
        let more: Vec<&String> = after.iter().filter(|one| !before.contains(one)).collect();
        let less: Vec<&String> = before.iter().filter(|one| !after.contains(one)).collect();
        (!more.is_empty() || !less.is_empty()).then(|| format!("left {more:#?}, missing {less:#?}"))
    });
    left.await.expect("nothing is left of any history");
}
