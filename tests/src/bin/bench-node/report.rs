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

/// One number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) connections: usize,
    pub(crate) bare: Figures,
    pub(crate) daemon: Figures,
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// The daemon's resident memory after the run, in KiB.
    pub(crate) resident_kib: u64,
}

#[allow(clippy::cast_precision_loss)] // Microseconds far below 2^52.
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bare, daemon) = (&self.bare, &self.daemon);
        for (name, end, figures) in [("bare", "\n", bare), ("podid", "", daemon)] {
            let Figures {
                p50_us,
                p99_us,
                rate,
            } = figures;
            let connections = self.connections;
            write!(
                f,
                "{connections:>4}  {name:<6} {p50_us:>6} µs  {p99_us:>6} µs  {rate:>8.0}/s{end}"
            )?;
        }
        let p50 = ratio(daemon.p50_us, bare.p50_us);
        let p99 = ratio(daemon.p99_us, bare.p99_us);
        let rate = daemon.rate / bare.rate;
        write!(f, "  {p50:>8.2}  {p99:>8.2}  {rate:>9.2}")
    }
}

/// What is said below the rows, before the predecessor's figures.
const NOTES: &str = "\
There is no cache yet: every answer of podid includes a request to the
node's metadata service, for which the same bare server stands here.

The predecessor's published ratios, in such a lab, no cache either:
";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "conns           p50        p99        rate      p50/bare  p99/bare  rate/bare"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let memory = self.resident_kib;
        writeln!(f, "\nresident memory of the daemon: {memory} KiB")?;
        f.write_str(NOTES)?;
        for (connections, p50, rate) in PREDECESSOR {
            writeln!(
                f,
                "{connections:>4}  p50 {p50:>5.1} × bare   rate {rate:>5.3} × bare"
            )?;
        }
        Ok(())
    }
}
