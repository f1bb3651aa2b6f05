//! The HTTP server over real connections, with a metadata service and a snapshot that are the test's.

mod answers;
mod connections;
mod corpus;
mod half_closed;
mod histories;
mod memory;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use podid_runtime::Drain;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::memory::MemoryServer;
use crate::intercept::{Caller, InterceptedConnection, InterceptionEngine};
use crate::server::testing::{ADDRESS, Bench, bench, entry};
use crate::server::{ConnectionLimits, serve};

/// Yields every connection to a loopback address, as if it had been diverted.
#[derive(Debug)]
struct FakeEngine {
    listener: TcpListener,
    is_verified: bool,
}

#[async_trait]
impl InterceptionEngine for FakeEngine {
    async fn accept(&mut self) -> InterceptedConnection {
        let (stream, from) = self.listener.accept().await.unwrap();
        let caller = Caller {
            address: ADDRESS,
            port: from.port(),
            since: Instant::now(),
            is_verified: self.is_verified,
            endpoint: None,
        };
        InterceptedConnection { stream, caller }
    }
}

/// A running server. All its connections are of one caller.
struct Server {
    address: SocketAddr,
    drain: Drain,
    task: JoinHandle<Result<(), Infallible>>,
    bench: Bench,
}

impl Server {
    /// Of the pod a/app, which is attested and whose identity is assigned.
    async fn of_pod() -> Self {
        Self::start(bench(&[entry(true)]), true).await
    }

    /// Of a caller that nobody knows.
    async fn of_stranger() -> Self {
        Self::start(bench(&[]), false).await
    }

    async fn start(bench: Bench, is_verified: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let drain = Drain::new();
        let engine = FakeEngine {
            listener,
            is_verified,
        };
        let serving = serve(
            Box::new(engine),
            Arc::clone(&bench.service),
            ConnectionLimits::default(),
            drain.clone(),
        );
        Self {
            address,
            drain,
            task: tokio::spawn(serving),
            bench,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}
