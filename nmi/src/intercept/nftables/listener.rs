//! The sockets that the rules divert calls to.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use podid_netfilter::{IMDS, IMDS_PORT};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::intercept::{Caller, InterceptedConnection};
use crate::shared_listener::{EarlierDaemon, ListenError, SharedListener, listen};

/// Pause after a failed accept, so that the daemon does not use all of a CPU until a file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The flags that choose the addresses.
const FLAGS: &str = "--listen and --unattested-port";

/// Which of the two listeners a connection came to, hence what the rules have checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenerKind {
    /// Interface and source address of every packet are a pair that the rules know.
    Attested,
    /// The rules have checked nothing.
    Unattested,
}

/// One of the two listeners.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddrV4,
    kind: ListenerKind,
}

impl Listener {
    /// Listens; connections wait until they are accepted.
    ///
    /// # Errors
    /// [`ListenError`], when the address is taken or is not one of this node.
    pub(super) async fn open(
        address: SocketAddrV4,
        kind: ListenerKind,
    ) -> Result<(Self, Vec<EarlierDaemon>), ListenError> {
        let SharedListener { socket, earlier } = listen(address.into(), FLAGS).await?;
        let bound = socket.local_addr().and_then(|bound| match bound {
            SocketAddr::V4(bound) => Ok(bound),
            SocketAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
        });
        let address = bound.map_err(|source| ListenError::Bind {
            address: address.into(),
            flags: FLAGS,
            source,
        })?;
        tracing::info!(%address, ?kind, "listening");
        let listener = Self {
            socket,
            address,
            kind,
        };
        Ok((listener, earlier))
    }

    /// The address that was really bound, with the port chosen by the kernel where 0 was asked for.
    pub(super) fn local_addr(&self) -> SocketAddrV4 {
        self.address
    }

    /// The next connection that was meant for the metadata service. Dropping the future loses none.
    pub(super) async fn accept(&self) -> InterceptedConnection {
        loop {
            match self.socket.accept().await {
                Ok((stream, from)) => {
                    if let Some(connection) = self.check(stream, from) {
                        return connection;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Refuses a connection that was not diverted. The rules refuse such a connection too; it is
    /// checked again here, because somebody can flush the rules.
    fn check(&self, stream: TcpStream, from: SocketAddr) -> Option<InterceptedConnection> {
        let since = Instant::now();
        let IpAddr::V4(address) = from.ip().to_canonical() else {
            return None;
        };
        if !was_diverted(&stream) {
            tracing::warn!(%address, "a connection that was not diverted is refused");
            return None;
        }
        Some(InterceptedConnection {
            stream,
            caller: Caller {
                address,
                port: from.port(),
                since,
                is_verified: self.kind == ListenerKind::Attested,
                endpoint: None,
            },
        })
    }
}

/// Whether the kernel's connection tracking knows the connection as one to the metadata service.
fn was_diverted(stream: &TcpStream) -> bool {
    let original = SockRef::from(stream)
        .original_dst_v4()
        .ok()
        .and_then(|to| to.as_socket_ipv4());
    original == Some(SocketAddrV4::new(IMDS, IMDS_PORT))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;

    use super::*;

    use crate::testing::within_limit;

    const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

    #[tokio::test]
    async fn a_connection_that_was_not_diverted_is_closed_and_not_yielded() {
        within_limit(async {
            for kind in [ListenerKind::Attested, ListenerKind::Unattested] {
                let (listener, _) = Listener::open(ANY_PORT, kind).await.unwrap();
                let mut direct = TcpStream::connect(listener.local_addr()).await.unwrap();
                let mut byte = [0];
                tokio::select! {
                    connection = listener.accept() => panic!("yielded: {connection:?}"),
                    read = direct.read(&mut byte) => assert!(matches!(read, Ok(0) | Err(_))),
                }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        within_limit(async {
            let (first, _) = Listener::open(ANY_PORT, ListenerKind::Attested)
                .await
                .unwrap();
            let taken = first.local_addr();
            let error = Listener::open(taken, ListenerKind::Unattested)
                .await
                .unwrap_err();
            assert!(error.to_string().contains(&taken.to_string()), "{error}");
        })
        .await;
    }
}
