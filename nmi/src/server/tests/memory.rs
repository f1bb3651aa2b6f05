//! Connections in memory: with tokio's clock paused, waiting takes no time, and a connection that would hang ends the
//! test.

use std::time::Duration;

use podid_runtime::Drain;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::server::exchange::Exchange;
use crate::server::limits::{ConnectionLimits, ConnectionOwner};
use crate::server::listen::serve_connection;
use crate::server::testing::{Bench, bench, entry, origin};

/// Serves connections of one pod, each in the test's own task, so that a panic is the test's.
pub(super) struct MemoryServer {
    pub(super) bench: Bench,
    uid: &'static str,
}

impl MemoryServer {
    /// Of the pod a/app, which is attested and whose identity is assigned.
    pub(super) fn of_pod() -> Self {
        Self {
            bench: bench(&[entry(true)]),
            uid: "uid-1",
        }
    }

    /// All that a client hears who says so much, and stays.
    pub(super) async fn converse(&self, said: &[u8]) -> Vec<u8> {
        self.converse_slowly(said, Duration::ZERO).await
    }

    /// The same, with a pause before each byte.
    pub(super) async fn converse_slowly(&self, said: &[u8], pause: Duration) -> Vec<u8> {
        let (client, server) = duplex(64 * 1024);
        let speaking = async {
            let (mut read, mut write) = tokio::io::split(client);
            let mut heard = Vec::new();
            let speaking = speak(&mut write, said, pause);
            let _cut_off = tokio::join!(speaking, read.read_to_end(&mut heard));
            heard
        };
        tokio::join!(self.serve(server), speaking).1
    }

    async fn serve(&self, stream: DuplexStream) {
        let owner = ConnectionOwner::Pod(self.uid.to_owned());
        let acquired = ConnectionLimits::default().acquire(owner).unwrap();
        let exchange = Exchange::new(acquired.slot);
        let (origin, drain) = (origin(Some(self.uid)), Drain::new());
        serve_connection(stream, &origin, &exchange, &self.bench.service, &drain).await;
    }
}

async fn speak(write: &mut (impl AsyncWriteExt + Unpin), said: &[u8], pause: Duration) {
    if pause.is_zero() {
        // Somebody who is refused half-way through is cut off.
        let _cut_off = write.write_all(said).await;
        return;
    }
    for byte in said {
        tokio::time::sleep(pause).await;
        if write.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}
