//! Random histories of one profile: what its author and others do, what goes wrong with calls, and where the process
//! ends. Afterwards Azure is as desired, and nothing of others was touched.
//!
//! A history that fails is made smaller and printed, and the next run of the test begins with it. `PODID_HISTORIES=20000`
//! lives so many of each kind, `PODID_HISTORY_SEED=7` other ones.

mod history;
mod world;

use history::{Happening, happening};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use world::World;

/// Number of histories of each kind in a test run, and the seed that they come from.
const HISTORIES: u32 = 2_500;
const SEED: u64 = 1;

fn config() -> ProptestConfig {
    let asked = |variable| std::env::var(variable).ok();
    let seed = asked("PODID_HISTORY_SEED").map(|seed| seed.parse().expect("the seed is a number"));
    let cases = asked("PODID_HISTORIES").map(|cases| cases.parse().expect("it is a number"));
    ProptestConfig {
        cases: cases.unwrap_or(HISTORIES),
        rng_seed: RngSeed::Fixed(seed.unwrap_or(SEED)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn azure_is_as_desired_and_nothing_is_left(happenings in vec(happening(), 1..10)) {
        lived(false, &happenings)?;
    }

    #[test]
    fn azure_is_as_desired_where_what_podid_made_is_kept(happenings in vec(happening(), 1..10)) {
        lived(true, &happenings)?;
    }
}

fn lived(retains: bool, happenings: &[Happening]) -> Result<(), TestCaseError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    let lived = runtime.block_on(live(retains, happenings));
    lived.map_err(TestCaseError::fail)
}

async fn live(retains: bool, happenings: &[Happening]) -> Result<(), String> {
    let mut world = World::new(retains);
    for happening in happenings {
        world.live(happening).await?;
    }
    world.come_to_rest().await
}
