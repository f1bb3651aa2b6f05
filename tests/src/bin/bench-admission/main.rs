//! What podid's admission policies cost whoever creates pods: the same creates with the policies and without, in turns, on
//! a real API server, beside one profile and beside thousands. Needs root. Run it by `cargo xtask bench admission`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod policies;
mod report;
mod world;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use crate::policies::Policies;
use crate::report::{Report, Row};
use crate::world::{Scene, World};

/// How the figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Measures how long the API server takes to create a pod, with podid's admission policies and without.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Pods of each kind that are created with the policies, and again without
    #[arg(long, default_value_t = 1000)]
    pods: usize,
    /// The same beside many profiles
    #[arg(long, default_value_t = 100)]
    pods_beside_many: usize,
    /// Times that the policies are taken away and put back meanwhile
    #[arg(long, default_value_t = 10)]
    turns: usize,
    /// Pods of each kind that are created first in each turn and not counted
    #[arg(long, default_value_t = 20)]
    uncounted: usize,
    /// Profiles in one namespace
    #[arg(long, default_value_t = 10_000)]
    profiles: usize,
    /// Namespaces with profiles in each
    #[arg(long, default_value_t = 500)]
    namespaces: usize,
    /// Profiles in each of them
    #[arg(long, default_value_t = 20)]
    profiles_per_namespace: usize,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let fewest = args.pods.min(args.pods_beside_many);
    ensure!(
        args.turns > 0 && fewest >= args.turns,
        "a turn, and a pod for each"
    );
    ensure!(
        args.profiles
            .min(args.namespaces)
            .min(args.profiles_per_namespace)
            > 0,
        "a profile, and a namespace with one"
    );
    podid_runtime::process::init();
    let runtime = tokio::runtime::Runtime::new().context("a runtime")?;
    let report = runtime.block_on(measure(&args))?;
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Output::Table => println!("{report}"),
    }
    Ok(())
}

async fn measure(args: &Args) -> Result<Report> {
    say("starting a lab");
    let world = World::start().await?;
    let bench = Bench {
        args,
        policies: Policies::of(&world).await?,
        world: &world,
    };
    let few = Scene::one("few", 1);
    let many = Scene::one("many", args.profiles);
    let spread = Scene::spread(args.namespaces, args.profiles_per_namespace);
    let (pods, beside_many) = (args.pods, args.pods_beside_many);
    let mut rows = Vec::new();
    for (scene, pods) in [(few, pods), (many, beside_many), (spread, beside_many)] {
        rows.extend(bench.scene(&scene, pods).await?);
    }
    Ok(Report { rows })
}

struct Bench<'a> {
    args: &'a Args,
    policies: Policies,
    world: &'a World,
}

/// How long each create took.
#[derive(Default)]
struct Creates {
    unlabelled: Vec<Duration>,
    bound: Vec<Duration>,
}

impl Creates {
    /// Creates pods of both kinds, of which the first ones are not counted: the API server has just changed its policies.
    async fn add(
        &mut self,
        world: &World,
        scene: &Scene,
        uncounted: usize,
        pods: usize,
    ) -> Result<()> {
        for (bound, times) in [(false, &mut self.unlabelled), (true, &mut self.bound)] {
            world.create_pods(scene, bound, uncounted).await?;
            times.extend(world.create_pods(scene, bound, pods).await?);
        }
        Ok(())
    }
}

impl Bench<'_> {
    /// Pods without a label and bound ones, beside the profiles of a scene.
    async fn scene(&self, scene: &Scene, pods: usize) -> Result<[Row; 2]> {
        say(&format!("{} profiles", scene.profiles()));
        self.world.create_profiles(scene).await?;
        let (mut without, mut with) = (Creates::default(), Creates::default());
        for turn in 0..self.args.turns {
            say(&format!("turn {} of {}", turn + 1, self.args.turns));
            // Each turn takes its part, and the first ones what is left over.
            let part = (pods + self.args.turns - 1 - turn) / self.args.turns;
            // Each side is first in half of the turns, as a machine that becomes slower or faster favours one of them.
            let first = turn % 2 == 0;
            for in_force in [first, !first] {
                self.policies.set(self.world, scene, in_force).await?;
                let creates = if in_force { &mut with } else { &mut without };
                let uncounted = self.args.uncounted;
                creates.add(self.world, scene, uncounted, part).await?;
            }
        }
        Ok([
            Row::new("unlabelled pod", scene, without.unlabelled, with.unlabelled),
            Row::new("bound pod", scene, without.bound, with.bound),
        ])
    }
}

/// Tells what is being done, apart from the figures.
fn say(what: &str) {
    eprintln!("▶ {what}");
}
