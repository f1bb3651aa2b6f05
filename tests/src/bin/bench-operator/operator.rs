//! The operator under measurement, a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use podid_lab::Lab;
use podid_tests::{operator, programs};
use serde::Serialize;

/// It ends with this value.
pub(crate) struct Operator {
    child: Child,
    admin: SocketAddr,
}

/// Calls of the operator until some moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Calls {
    pub(crate) azure_reads: u64,
    pub(crate) azure_writes: u64,
    pub(crate) cluster_reads: u64,
    pub(crate) cluster_writes: u64,
}

impl Calls {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            azure_reads: self.azure_reads - before.azure_reads,
            azure_writes: self.azure_writes - before.azure_writes,
            cluster_reads: self.cluster_reads - before.cluster_reads,
            cluster_writes: self.cluster_writes - before.cluster_writes,
        }
    }

    fn read(metrics: &str) -> Self {
        let number = |destination: &str, kind: &str| {
            let labels = [
                format!("destination=\"{destination}\""),
                format!("kind=\"{kind}\""),
                "outcome=\"Done\"".to_owned(),
            ];
            let mut lines = metrics.lines();
            let line = lines.find(|line| {
                line.starts_with("podid_calls_total{")
                    && labels.iter().all(|label| line.contains(label))
            });
            let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
            value.unwrap_or_default()
        };
        Self {
            azure_reads: number("Azure", "Read"),
            azure_writes: number("Azure", "Write"),
            cluster_reads: number("Cluster", "Read"),
            cluster_writes: number("Cluster", "Write"),
        }
    }
}

impl Operator {
    /// An operator that compares each profile with Azure once an interval.
    pub(crate) fn start(lab: &Lab, program: &Path, interval: Duration) -> Result<Self> {
        // Free again for the operator when this statement ends.
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = std::fs::File::create(lab.log("bench-operator"))?;
        let child = Command::new(program)
            .args(operator::flags(lab)?)
            .args(["--admin-addr", &admin.to_string(), "--replica", "bench"])
            .args(["--interval", &format!("{}s", interval.as_secs())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("start the operator")?;
        Ok(Self { child, admin })
    }

    pub(crate) async fn calls(&self) -> Result<Calls> {
        let url = format!("http://{}/metrics", self.admin);
        for _ in 0..100 {
            if let Ok(answer) = reqwest::get(&url).await {
                return Ok(Calls::read(&answer.text().await?));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the operator does not answer at {url}")
    }

    pub(crate) fn resident_kib(&self) -> Result<u64> {
        programs::resident_kib(self.child.id())
    }

    /// Time on a processor until now.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The name, which comes before, may contain anything.
        let fields = stat.rsplit(')').next().context("fields of stat")?;
        let ticks: Result<Vec<u64>, _> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect();
        // A tick is 10 ms on every Linux that podid is built for.
        Ok(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
    }

    /// The same when it has had nothing to do for a second.
    pub(crate) async fn settled_cpu(&self) -> Result<Duration> {
        let mut before = self.cpu()?;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) <= Duration::from_millis(20) {
                return Ok(now);
            }
            before = now;
        }
    }

    /// Ends it at once.
    pub(crate) fn end(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| path)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.end();
    }
}
