//! The load: connections that each ask, wait for the whole answer, and ask again.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use podid_lab::net::in_namespace;
use podid_tests::node::Pod;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Not measured: caches fill, connections find their pace.
const WARM_UP: Duration = Duration::from_millis(300);

/// How much one measurement may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Time after the warm-up.
    pub(crate) time: Duration,
    /// Requests in all, the warm-up included.
    pub(crate) requests: usize,
}

/// What is asked, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Whether each request has a connection of its own.
    pub(crate) reconnects: bool,
    /// Text behind the query.
    pub(crate) query: &'static str,
    /// Status of every answer.
    pub(crate) status: &'static str,
}

/// What one measurement found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    /// Half of the answers took no longer, in microseconds.
    pub(crate) p50_us: u64,
    /// 99 of 100 answers took no longer, in microseconds.
    pub(crate) p99_us: u64,
    /// Answers a second.
    pub(crate) rate: f64,
}

/// Loads the server at `target` from inside the pod.
pub(crate) fn run(pod: &Pod, target: SocketAddrV4, load: Load, bounds: Bounds) -> Result<Figures> {
    // The threads of the runtime are in the namespace of the thread that makes them.
    in_namespace(pod.namespace(), || {
        tokio::runtime::Runtime::new()?.block_on(measure(target, load, bounds))
    })?
}

async fn measure(target: SocketAddrV4, load: Load, bounds: Bounds) -> Result<Figures> {
    let start = Instant::now() + WARM_UP;
    let end = start + bounds.time;
    let left = Arc::new(AtomicUsize::new(bounds.requests));
    let client = Client {
        target,
        load,
        start,
        end,
        left,
    };
    let clients: Vec<_> = (0..load.connections)
        .map(|_| tokio::spawn(client.clone().run()))
        .collect();
    let mut latencies: Vec<(Instant, u64)> = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    figures(latencies, start)
}

fn figures(latencies: Vec<(Instant, u64)>, start: Instant) -> Result<Figures> {
    let last = latencies.iter().map(|(at, _)| *at).max();
    let last = last.context("no answer in the time of the measurement")?;
    let mut latencies: Vec<u64> = latencies.into_iter().map(|(_, took)| took).collect();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    #[allow(clippy::cast_precision_loss)] // Counts far below 2^52.
    let rate = latencies.len() as f64 / (last - start).as_secs_f64().max(1e-6);
    Ok(Figures {
        p50_us: at(50),
        p99_us: at(99),
        rate,
    })
}

/// One connection at a time.
#[derive(Clone, Debug)]
struct Client {
    target: SocketAddrV4,
    load: Load,
    start: Instant,
    end: Instant,
    /// How many requests all clients may still send.
    left: Arc<AtomicUsize>,
}

impl Client {
    /// When answers came after the start, and how long they took, in microseconds.
    async fn run(self) -> Result<Vec<(Instant, u64)>> {
        let (mut latencies, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        let request = self.request();
        let mut open = None;
        loop {
            let asked = Instant::now();
            if asked >= self.end || !self.may_send() {
                // A measurement whose requests end before its warm-up counts them all.
                return Ok(latencies);
            }
            let mut stream = match open.take() {
                Some(stream) => stream,
                None => connect(self.target).await?,
            };
            stream.write_all(request.as_bytes()).await?;
            read_answer(&mut stream, &mut buffer, self.load.status).await?;
            if !self.load.reconnects {
                open = Some(stream);
            }
            let answered = Instant::now();
            if asked >= self.start || self.is_short() {
                let took = u64::try_from((answered - asked).as_micros())?;
                latencies.push((answered.max(self.start), took));
            }
        }
    }

    fn request(&self) -> String {
        let query = self.load.query;
        format!(
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&\
             resource=https%3A%2F%2Fvault.azure.net{query} HTTP/1.1\r\nHost: 169.254.169.254\r\n\
             Metadata: true\r\n\r\n"
        )
    }

    fn may_send(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Whether there are too few requests for a warm-up.
    fn is_short(&self) -> bool {
        self.end - self.start < WARM_UP
    }
}

async fn connect(target: SocketAddrV4) -> Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8], status: &str) -> Result<()> {
    let (mut filled, mut length) = (0, None);
    while length.is_none_or(|length| filled < length) {
        let count = stream.read(&mut buffer[filled..]).await?;
        ensure!(count > 0, "the server hung up");
        filled += count;
        if length.is_none() {
            length = answer_length(&buffer[..filled], status)?;
        }
    }
    Ok(())
}

/// Length of head and body together, once the head is complete.
fn answer_length(received: &[u8], status: &str) -> Result<Option<usize>> {
    let Some(head) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..head])?.to_ascii_lowercase();
    let expected = format!("http/1.1 {status}");
    ensure!(text.starts_with(&expected), "not {status}: {text}");
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body: usize = body.context("an answer without Content-Length")?.parse()?;
    Ok(Some(head + 4 + body))
}
