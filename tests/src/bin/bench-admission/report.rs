//! The figures, as ratios that hold on any machine, and as they were.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::world::Scene;

/// Of the creates of one kind.
#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    p50_us: u64,
    p99_us: u64,
}

impl Figures {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
            time.map_or(0, |time| {
                u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
            })
        };
        Self {
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

/// One kind of pods beside some profiles.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    what: &'static str,
    /// Profiles in the cluster's namespaces of this row, and how many those are.
    profiles: usize,
    namespaces: usize,
    /// Creates of each side.
    pods: usize,
    without: Figures,
    with: Figures,
    /// With the policies by without.
    p50_ratio: f64,
    p99_ratio: f64,
}

impl Row {
    pub(crate) fn new(
        what: &'static str,
        scene: &Scene,
        without: Vec<Duration>,
        with: Vec<Duration>,
    ) -> Self {
        let pods = with.len();
        let (without, with) = (Figures::of(without), Figures::of(with));
        Self {
            what,
            profiles: scene.profiles(),
            namespaces: scene.namespaces().count(),
            pods,
            without,
            with,
            p50_ratio: ratio(with.p50_us, without.p50_us),
            p99_ratio: ratio(with.p99_us, without.p99_us),
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Microseconds far below 2^52.
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            profiles,
            namespaces,
            pods,
            without,
            with,
            p50_ratio,
            p99_ratio,
        } = self;
        write!(
            f,
            "{what:<15} {profiles:>8} {namespaces:>10} {pods:>5}   {:>8} µs {:>8} µs {p50_ratio:>6.2}   {:>8} µs {:>8} µs {p99_ratio:>6.2}",
            without.p50_us, with.p50_us, without.p99_us, with.p99_us
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "what            profiles namespaces  pods   p50 without        with  ratio   p99 without        with  ratio"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
