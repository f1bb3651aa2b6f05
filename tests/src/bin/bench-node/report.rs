//! The figures, as ratios that hold on any machine, and as they were.

use std::fmt;

use serde::Serialize;

use crate::load::Figures;

/// Figures published for the predecessor's NMI 1.8.17, measured in the same arrangement against its
/// own bare server: connections, how many times bare's p50, what part of bare's rate.
const PREDECESSOR: [(usize, f64, f64); 3] = [
    (1, 4.2, 1.0 / 4.5),
    (8, 15.1, 1.0 / 17.0),
    (64, 96.6, 1.0 / 71.0),
];

/// One measurement of both servers.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was asked.
    pub(crate) what: &'static str,
    pub(crate) connections: usize,
    pub(crate) bare: Figures,
    pub(crate) daemon: Figures,
    /// The daemon's p50 by bare's.
    p50_ratio: f64,
    /// The daemon's p99 by bare's.
    p99_ratio: f64,
    /// The daemon's rate by bare's.
    rate_ratio: f64,
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// The daemon's resident memory after the run, in KiB.
    pub(crate) resident_kib: u64,
    /// Requests of the daemon to the metadata service in the whole run.
    pub(crate) imds_requests: usize,
}

impl Row {
    pub(crate) fn new(
        what: &'static str,
        connections: usize,
        bare: Figures,
        daemon: Figures,
    ) -> Self {
        Self {
            what,
            connections,
            bare,
            daemon,
            p50_ratio: ratio(daemon.p50_us, bare.p50_us),
            p99_ratio: ratio(daemon.p99_us, bare.p99_us),
            rate_ratio: daemon.rate / bare.rate,
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Microseconds far below 2^52.
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            connections,
            bare,
            daemon,
            ..
        } = self;
        for (name, end, figures) in [("bare", "\n", bare), ("podid", "", daemon)] {
            let Figures {
                p50_us,
                p99_us,
                rate,
            } = figures;
            write!(
                f,
                "{what:<22} {connections:>3}  {name:<6} {p50_us:>6} µs  {p99_us:>6} µs  {rate:>8.0}/s{end}"
            )?;
        }
        let (p50, p99, rate) = (self.p50_ratio, self.p99_ratio, self.rate_ratio);
        write!(f, "  {p50:>8.2}  {p99:>8.2}  {rate:>9.2}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "what                 conns              p50        p99        rate      p50/bare  p99/bare  rate/bare"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let (memory, asked) = (self.resident_kib, self.imds_requests);
        writeln!(f, "\nresident memory of the daemon: {memory} KiB")?;
        writeln!(f, "requests to the metadata service: {asked}")?;
        f.write_str("\nThe predecessor's published ratios, in such a lab, without a cache:\n\n")?;
        for (connections, p50, rate) in PREDECESSOR {
            writeln!(
                f,
                "{connections:>4}  p50 {p50:>5.1} × bare   rate {rate:>5.3} × bare"
            )?;
        }
        Ok(())
    }
}
