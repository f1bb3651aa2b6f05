//! Connections in memory: with tokio's clock paused, waiting takes no time, and a connection that would hang ends the
//! test.

use std::time::Duration;

use podid_core::arm::ArmId;
use podid_core::binding::AzureIdentity;
use podid_runtime::Drain;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::server::exchange::Exchange;
use crate::server::limits::{ConnectionLimits, ConnectionOwner};
use crate::server::listen::serve_connection;
use crate::server::testing::{Bench, bench, entry, origin};
use crate::testing::{RESOURCE_ID, azure_identity};

/// Uid of a/app.
const POD: &str = "uid-1";

/// Serves connections of one pod, each in the test's own task, so that a panic is the test's.
pub(super) struct MemoryServer {
    pub(super) bench: Bench,
    /// Of the pod that was attested when it connected.
    uid: Option<&'static str>,
}

impl MemoryServer {
    /// Of the pod a/app, which is attested and whose identity is assigned.
    pub(super) fn of_pod() -> Self {
        Self {
            bench: bench(&[entry(true)]),
            uid: Some(POD),
        }
    }

    /// Of the same pod, whose namespace has an identity of another one too, `client-two`.
    pub(super) fn of_pod_beside_another() -> Self {
        let mut entry = entry(true);
        entry.identities.push(AzureIdentity {
            name: "two".into(),
            client_id: "client-two".into(),
            resource_id: ArmId::new(RESOURCE_ID.replace("/one", "/two")),
            ..azure_identity()
        });
        Self {
            bench: bench(&[entry]),
            uid: Some(POD),
        }
    }

    /// Of a caller that nobody knows.
    pub(super) fn of_stranger() -> Self {
        Self {
            bench: bench(&[]),
            uid: None,
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

    pub(super) async fn serve(&self, stream: DuplexStream) {
        let owner = ConnectionOwner::Pod(self.uid.unwrap_or_default().to_owned());
        let acquired = ConnectionLimits::default().acquire(owner).unwrap();
        let exchange = Exchange::new(acquired.slot);
        let (origin, drain) = (origin(self.uid), Drain::new());
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
