//! How fast and how cheaply the operator gives pods their identities, against the bound that Azure's own rules give, on a
//! real API server with pods that nobody runs. Needs root. Run it by `cargo xtask bench operator`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod beside_throttled;
mod operator;
mod plans;
mod report;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use podid_tests::programs;

use crate::operator::{Calls, Operator};
use crate::report::{Crowd, Phase, Report};
use crate::world::{PROFILES_PER_NAMESPACE, World};

/// An interval in which nothing comes up by itself.
const AT_REST: Duration = Duration::from_secs(24 * 3600);

/// How the figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Measures the operator: pods on three scale sets of ten nodes and on ten VMs.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Bound pods
    #[arg(long, default_value_t = 2000)]
    pods: usize,
    /// Profiles with pods, each with an identity of its own
    #[arg(long, default_value_t = 200)]
    profiles: usize,
    /// Profiles without pods, beside those
    #[arg(long, default_value_t = 800)]
    idle_profiles: usize,
    /// Profiles that Azure throttles, while ten others are committed
    #[arg(long, default_value_t = 500)]
    throttled_profiles: usize,
    /// Seconds that Azure takes for a change of a VM or scale set
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=600))]
    change_seconds: u32,
    /// Seconds after which the operator compares a profile with Azure again
    #[arg(long, default_value_t = 60)]
    interval_seconds: u64,
    /// Seconds over which pods are created
    #[arg(long, default_value_t = 0)]
    spread_seconds: u64,
    /// Pods whose label no binding selects, beside which the work for an event of one is measured, in rising order
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,20000")]
    crowds: Vec<usize>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl Args {
    fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(
        args.pods >= args.profiles && args.profiles >= PROFILES_PER_NAMESPACE,
        "at least {PROFILES_PER_NAMESPACE} profiles, and a pod for each"
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
    let world = World::start(args.profiles, args.idle_profiles, args.change_seconds).await?;
    let program = programs::beside("podid-operator")?;
    let operator = Operator::start(&world.lab, &program, args.interval())?;
    let mut bench = Bench {
        args,
        world,
        operator,
    };
    bench.measure().await
}

struct Bench<'a> {
    args: &'a Args,
    world: World,
    operator: Operator,
}

impl Bench<'_> {
    async fn measure(&mut self) -> Result<Report> {
        let profiles = self.phase("profiles made", self.profiles()).await?;
        let beside_throttled = self.beside_throttled().await?;
        let mut phases = vec![profiles];
        let before = self.operator.calls().await?;
        phases.push(self.phase("pods, for the first time", self.pods()).await?);
        let resident_kib = self.operator.resident_kib()?;
        let replaced = self.phase("pods replaced one by one, twice", self.replace());
        phases.push(replaced.await?);
        phases.push(self.phase("pods deleted", self.delete()).await?);
        let life = self.operator.calls().await?.since(before);
        phases.push(
            self.phase("pods, when latencies are known", self.pods())
                .await?,
        );
        // Each profile has been looked at by itself once by now, as after every change.
        let interval = self.interval().await?;
        let crowds = self.crowds().await?;
        let (profiles, idle_profiles) = (self.args.profiles, self.args.idle_profiles);
        Ok(Report {
            profiles,
            idle_profiles,
            pods: self.args.pods,
            change_seconds: self.args.change_seconds,
            spread_seconds: self.args.spread_seconds,
            phases,
            interval,
            beside_throttled,
            // Made once, replaced twice, and the last ones deleted.
            lives: 3 * self.args.pods,
            life,
            resident_kib,
            plans_ms: plans::milliseconds(profiles + idle_profiles)?,
            crowds,
            resident_kib_in_crowd: self.operator.resident_kib()?,
        })
    }

    /// Measures how long it takes and what it costs. The work says how long Azure itself needs for it.
    async fn phase(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<Duration>>,
    ) -> Result<Phase> {
        say(name);
        let (before, started) = (self.operator.calls().await?, Instant::now());
        let bound = work.await?;
        let took = started.elapsed();
        let calls = self.operator.calls().await?.since(before);
        let phase = Phase::new(name, took, bound, calls);
        say(&phase.to_string());
        Ok(phase)
    }

    async fn profiles(&self) -> Result<Duration> {
        self.world.create_profiles().await?;
        let all = self.args.profiles + self.args.idle_profiles;
        self.world.until_ready("", all).await?;
        Ok(Duration::ZERO)
    }

    /// What two intervals in which nothing changes cost.
    async fn interval(&self) -> Result<Calls> {
        say("two intervals in which nothing changes");
        let before = self.operator.calls().await?;
        tokio::time::sleep(2 * self.args.interval()).await;
        Ok(self.operator.calls().await?.since(before))
    }

    async fn pods(&self) -> Result<Duration> {
        let spread = Duration::from_secs(self.args.spread_seconds);
        let started = Instant::now();
        self.world.create_pods("a", self.args.pods, spread).await?;
        let created = started.elapsed();
        self.world.until_assigned(self.args.pods).await?;
        Ok(created + self.world.bound(self.args.pods))
    }

    async fn replace(&self) -> Result<Duration> {
        self.world.replace_pods("a", "b", self.args.pods).await?;
        self.world.until_assigned(self.args.pods).await?;
        self.world.replace_pods("b", "a", self.args.pods).await?;
        self.world.until_assigned(self.args.pods).await?;
        Ok(Duration::ZERO)
    }

    async fn delete(&self) -> Result<Duration> {
        let started = Instant::now();
        self.world.delete_pods("a", self.args.pods).await?;
        let deleted = started.elapsed();
        self.world.until_nothing_carried().await?;
        Ok(deleted + self.world.bound(self.args.pods))
    }

    /// The operator's time for an event of a pod that no binding selects, beside ever more of them.
    async fn crowds(&mut self) -> Result<Vec<Crowd>> {
        // One that is at rest once it has looked at everything: thousands of profiles are otherwise always looked at.
        self.operator.end();
        let program = programs::beside("podid-operator")?;
        self.operator = Operator::start(&self.world.lab, &program, AT_REST)?;
        let mut crowds = Vec::new();
        let mut there = 0;
        for &size in &self.args.crowds {
            say(&format!("{size} pods that no binding selects"));
            self.world.create_crowd(there..size).await?;
            there = size;
            let before = self.operator.settled_cpu().await?;
            let events = self.world.touch_crowd(size).await?;
            let cpu = self.operator.settled_cpu().await?.saturating_sub(before);
            crowds.push(Crowd::new(size, events, cpu));
        }
        Ok(crowds)
    }
}

/// Tells what is being done, apart from the figures.
fn say(what: &str) {
    eprintln!("▶ {what}");
}
