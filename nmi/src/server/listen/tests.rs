use std::net::{Ipv4Addr, SocketAddr};

use async_trait::async_trait;
use podid_azure::{ImdsError, ImdsToken, ImdsTokenRequest, ImdsTokens};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::*;

use crate::attest::LinkCheck;
use crate::intercept::{ActiveDaemon, CallerCheck};
use crate::metrics::NodeMetrics;
use crate::pod_events;
use crate::recent_errors::RecentErrors;
use crate::server::Waits;
use crate::snapshot::Snapshot;
use crate::testing::within_limit;
use crate::token::{NodeIdentityTokens, NodeImds, SharedImds, TokenSources};

/// Yields every connection to a loopback address, as if it had been diverted.
#[derive(Debug)]
struct FakeEngine(TcpListener);

#[async_trait]
impl InterceptionEngine for FakeEngine {
    async fn accept(&mut self) -> InterceptedConnection {
        let (stream, _) = self.0.accept().await.unwrap();
        let caller = Caller {
            address: Ipv4Addr::new(10, 244, 0, 2),
            port: 40_000,
            since: tokio::time::Instant::now(),
            is_verified: false,
            endpoint: None,
        };
        InterceptedConnection { stream, caller }
    }
}

/// Is never asked: the callers of these tests are not attested.
#[derive(Debug)]
struct Unused;

#[async_trait]
impl ImdsTokens for Unused {
    async fn token(&self, _: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError> {
        unreachable!("no caller of these tests is attested")
    }
}

impl LinkCheck for Unused {
    fn is_unchanged(&self, _: &podid_core::attest::ProvedLink) -> bool {
        unreachable!("no caller of these tests is attested")
    }
}

#[async_trait]
impl CallerCheck for Unused {
    async fn is_only_from(&self, _: &Caller, _: &podid_core::attest::PodEndpoint) -> bool {
        unreachable!("no caller of these tests is attested")
    }
}

struct Running {
    address: SocketAddr,
    drain: Drain,
    task: JoinHandle<Result<(), Infallible>>,
    metrics: NodeMetrics,
    _snapshots: watch::Sender<Arc<Snapshot>>,
}

async fn running() -> Running {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = NodeMetrics::register(&mut Registry::default());
    let (snapshots, receiver) = watch::channel(Arc::default());
    let (calls, _calls) = mpsc::channel(1);
    let imds = SharedImds::new(Arc::new(Unused), metrics.clone());
    let service = TokenService {
        snapshots: receiver,
        sources: TokenSources {
            bound: Arc::new(NodeImds::new(imds.clone())),
            node_identities: NodeIdentityTokens::new(imds),
        },
        calls,
        callers: Arc::new(Unused),
        active: watch::channel(ActiveDaemon::This).1,
        links: Arc::new(Unused),
        waits: Waits {
            assign: Duration::ZERO,
            attest: Duration::ZERO,
        },
        events: pod_events::channel().0,
        errors: RecentErrors::default(),
        metrics: metrics.clone(),
    };
    let drain = Drain::new();
    let serving = serve(
        Box::new(FakeEngine(listener)),
        Arc::new(service),
        ConnectionLimits::default(),
        drain.clone(),
    );
    Running {
        address,
        drain,
        task: tokio::spawn(serving),
        metrics,
        _snapshots: snapshots,
    }
}

/// The answer to a request, up to where the server waits for the next one or closes.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

const PROBE: &[u8] = b"GET /metadata/identity/oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_json() {
    within_limit(async {
        let running = running().await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        for _ in 0..2 {
            let answer = exchange(&mut stream, PROBE).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("Required metadata header"), "{answer}");
        }
        let answer = exchange(&mut stream, b"no HTTP at all\r\n\r\n").await;
        assert!(answer.contains("\"error\":\"invalid_request\""), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_draining_server_closes_idle_connections_and_takes_no_more() {
    within_limit(async {
        let running = running().await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        exchange(&mut stream, PROBE).await;
        running.drain.start();
        running.task.await.unwrap().unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(TcpStream::connect(running.address).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn callers_beyond_the_limit_end_the_longest_idle_connection() {
    within_limit(async {
        let running = running().await;
        let mut first = TcpStream::connect(running.address).await.unwrap();
        exchange(&mut first, PROBE).await;
        let mut others = Vec::new();
        // One address that is not attested may have 32 connections.
        for _ in 0..32 {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            exchange(&mut stream, PROBE).await;
            others.push(stream);
        }
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(running.metrics.connections_ended.get(), 1);
        assert_eq!(running.metrics.connections_refused.get(), 0);
    })
    .await;
}
