//! The figures, as ratios and counts.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::operator::Calls;

/// One part of the run.
#[derive(Debug, Serialize)]
pub(crate) struct Phase {
    what: &'static str,
    seconds: f64,
    /// What Azure's own rules take: 100 identities a change, one change of a VM or scale set after the other. With the
    /// time in which the pods were created or deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    calls: Calls,
}

impl Phase {
    pub(crate) fn new(what: &'static str, took: Duration, bound: Duration, calls: Calls) -> Self {
        let bound = (!bound.is_zero()).then_some(bound.as_secs_f64());
        let seconds = took.as_secs_f64();
        Self {
            what,
            seconds,
            bound_seconds: bound,
            ratio: bound.map(|bound| seconds / bound),
            calls,
        }
    }
}

/// How long ten profiles take, alone and beside many that Azure throttles.
#[derive(Debug, Serialize)]
pub(crate) struct BesideThrottled {
    throttled: usize,
    alone_seconds: f64,
    beside_seconds: f64,
    ratio: f64,
}

impl BesideThrottled {
    pub(crate) fn new(throttled: usize, alone: Duration, beside: Duration) -> Self {
        Self {
            throttled,
            alone_seconds: alone.as_secs_f64(),
            beside_seconds: beside.as_secs_f64(),
            ratio: beside.div_duration_f64(alone),
        }
    }
}

/// What events of pods that no binding selects cost.
#[derive(Debug, Serialize)]
pub(crate) struct Crowd {
    pods: usize,
    events: usize,
    cpu_us_per_event: f64,
}

impl Crowd {
    #[allow(clippy::cast_precision_loss)] // Far below 2^52.
    pub(crate) fn new(pods: usize, events: usize, cpu: Duration) -> Self {
        let cpu_us_per_event = cpu.as_secs_f64() * 1e6 / events.max(1) as f64;
        Self {
            pods,
            events,
            cpu_us_per_event,
        }
    }
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) profiles: usize,
    pub(crate) idle_profiles: usize,
    pub(crate) pods: usize,
    pub(crate) change_seconds: u32,
    pub(crate) spread_seconds: u64,
    pub(crate) phases: Vec<Phase>,
    /// Two intervals of all profiles, in which nothing changes.
    pub(crate) interval: Calls,
    pub(crate) beside_throttled: BesideThrottled,
    /// Pods that came and went, and what they cost together.
    pub(crate) lives: usize,
    pub(crate) life: Calls,
    /// The operator's memory with all pods bound, and with the largest crowd beside them.
    pub(crate) resident_kib: u64,
    pub(crate) resident_kib_in_crowd: u64,
    /// What `core` takes for the plans of all profiles where all is as it should be, and where nothing is there yet.
    pub(crate) plans_ms: [f64; 2],
    pub(crate) crowds: Vec<Crowd>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (profiles, pods, change) = (self.profiles, self.pods, self.change_seconds);
        let (idle, spread) = (self.idle_profiles, self.spread_seconds);
        writeln!(
            f,
            "{profiles} profiles with {pods} pods and {idle} without, {change} s for a change in Azure, pods created \
             over {spread} s\n"
        )?;
        writeln!(
            f,
            "what                             seconds   bound  ratio   ARM reads  writes   API reads  writes"
        )?;
        for phase in &self.phases {
            writeln!(f, "{phase}")?;
        }
        let Calls {
            azure_reads,
            azure_writes,
            cluster_reads,
            cluster_writes,
        } = self.interval;
        writeln!(
            f,
            "\ntwo unchanged intervals: {azure_reads} reads and {azure_writes} writes of ARM, {cluster_reads} and \
             {cluster_writes} of the API server"
        )?;
        writeln!(
            f,
            "life of a pod: {:.2} writes of the API server, {:.3} calls of ARM",
            per(self.life.cluster_writes, self.lives),
            per(self.life.azure_reads + self.life.azure_writes, self.lives)
        )?;
        let BesideThrottled {
            throttled,
            alone_seconds: alone,
            beside_seconds: beside,
            ratio,
        } = self.beside_throttled;
        writeln!(
            f,
            "ten profiles: {alone:.2} s alone, {beside:.2} s beside {throttled} throttled ones, {ratio:.2} times that"
        )?;
        let [unchanged, new] = self.plans_ms;
        let all = profiles + idle;
        writeln!(
            f,
            "plans of {all} profiles: {unchanged:.1} ms where nothing is to do, {new:.1} ms where all is"
        )?;
        for crowd in &self.crowds {
            let (pods, cpu) = (crowd.pods, crowd.cpu_us_per_event);
            writeln!(
                f,
                "beside {pods} pods that no binding selects: {cpu:.1} µs of a processor for an event of one"
            )?;
        }
        let (alone, crowd) = (self.resident_kib, self.resident_kib_in_crowd);
        write!(
            f,
            "resident memory: {alone} KiB, {crowd} KiB with the crowd"
        )
    }
}

#[allow(clippy::cast_precision_loss)] // Far below 2^52.
fn per(count: u64, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let (what, seconds, calls) = (self.what, self.seconds, &self.calls);
        let (bound, ratio) = (or_none(self.bound_seconds, 1), or_none(self.ratio, 2));
        write!(
            f,
            "{what:<32} {seconds:>7.1} {bound:>7} {ratio:>6}   {:>9} {:>7}   {:>9} {:>7}",
            calls.azure_reads, calls.azure_writes, calls.cluster_reads, calls.cluster_writes
        )
    }
}
