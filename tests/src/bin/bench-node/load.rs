//! The load: connections that each ask, wait for the whole answer, and ask again.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use podid_lab::net::in_namespace;
use podid_tests::node::Pod;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Not measured: caches fill, connections find their pace.
const WARM_UP: Duration = Duration::from_millis(500);

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
pub(crate) fn run(
    pod: &Pod,
    target: SocketAddrV4,
    connections: usize,
    time: Duration,
) -> Result<Figures> {
    let streams: Vec<std::net::TcpStream> = (0..connections)
        .map(|_| in_namespace(pod.namespace(), || std::net::TcpStream::connect(target)))
        .map(|connected| Ok(connected??))
        .collect::<Result<_>>()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let start = Instant::now() + WARM_UP;
        let end = start + time;
        let clients: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::spawn(client(stream, start, end)))
            .collect();
        let mut latencies: Vec<u64> = Vec::new();
        for client in clients {
            latencies.extend(client.await??);
        }
        figures(latencies, time)
    })
}

fn figures(mut latencies: Vec<u64>, time: Duration) -> Result<Figures> {
    ensure!(!latencies.is_empty(), "no answer in {time:?}");
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    #[allow(clippy::cast_precision_loss)] // Counts far below 2^52.
    let rate = latencies.len() as f64 / time.as_secs_f64();
    Ok(Figures {
        p50_us: at(50),
        p99_us: at(99),
        rate,
    })
}

/// The latencies of one connection's answers between `start` and `end`, in microseconds.
async fn client(stream: std::net::TcpStream, start: Instant, end: Instant) -> Result<Vec<u64>> {
    const REQUEST: &[u8] = b"GET /metadata/identity/oauth2/token?api-version=2018-02-01&\
        resource=https%3A%2F%2Fvault.azure.net HTTP/1.1\r\nHost: 169.254.169.254\r\n\
        Metadata: true\r\n\r\n";
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let mut stream = TcpStream::from_std(stream)?;
    let (mut latencies, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(latencies);
        }
        stream.write_all(REQUEST).await?;
        read_answer(&mut stream, &mut buffer).await?;
        if asked >= start {
            latencies.push(u64::try_from(asked.elapsed().as_micros())?);
        }
    }
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let (mut filled, mut length) = (0, None);
    while length.is_none_or(|length| filled < length) {
        let count = stream.read(&mut buffer[filled..]).await?;
        ensure!(count > 0, "the server hung up");
        filled += count;
        if length.is_none() {
            length = answer_length(&buffer[..filled])?;
        }
    }
    Ok(())
}

/// Length of head and body together, once the head is complete.
fn answer_length(received: &[u8]) -> Result<Option<usize>> {
    let Some(head) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..head])?.to_ascii_lowercase();
    ensure!(text.starts_with("http/1.1 200"), "not a token: {text}");
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body: usize = body.context("an answer without Content-Length")?.parse()?;
    Ok(Some(head + 4 + body))
}
