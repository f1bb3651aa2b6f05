//! Takes connections and serves HTTP on them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use podid_netfilter::{IMDS, IMDS_PORT};
use podid_runtime::Drain;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::limits::{Limits, Owner, Place, Taken};
use super::token::{Peer, Service};
use super::wire::{Wire, refusal};

/// How long a client may take to send the head of a request, or be silent between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of one head. Requests over the guard's own, smaller limits get an answer that says
/// so; this one, times the number of connections, bounds memory.
const HEAD_MAX: usize = 16 * 1024;
/// Pause when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the last words to a client that is too slow may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which of the two listeners a connection came to, hence what the kernel has checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Interface and address of every packet are those of one proved pod.
    Attested,
    /// Nothing.
    Unattested,
}

/// One of the daemon's listeners.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddrV4,
    origin: Origin,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for the calls of pods; choose another with --listen and --unattested-port"
)]
pub(crate) struct ListenError {
    address: SocketAddrV4,
    source: io::Error,
}

impl Listener {
    /// Listens; connections wait until [`serve`](Self::serve).
    pub(crate) async fn bind(address: SocketAddrV4, origin: Origin) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        match socket.local_addr().map_err(failed)? {
            SocketAddr::V4(address) => Ok(Self {
                socket,
                address,
                origin,
            }),
            SocketAddr::V6(_) => Err(failed(io::ErrorKind::Unsupported.into())),
        }
    }

    /// The address really bound.
    pub(crate) fn local_addr(&self) -> SocketAddrV4 {
        self.address
    }

    /// Serves until the process drains; then takes no more, and returns when the requests under
    /// way are answered.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn serve(
        self,
        service: Arc<Service>,
        limits: Limits,
        drain: Drain,
    ) -> Result<(), std::convert::Infallible> {
        tracing::info!(address = %self.address, origin = ?self.origin, "listening");
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = drain.draining() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, from)) => {
                        if let Some((peer, taken)) = self.admit(&stream, from, &service, &limits) {
                            let service = Arc::clone(&service);
                            connections.spawn(serve_while_allowed(stream, peer, taken, service, drain.clone()));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        while connections.join_next().await.is_some() {}
        Ok(())
    }

    /// Decides whether a connection is served, and as whose. The kernel refuses connections that
    /// were not on their way to the metadata service; asked again here, because its rules can be
    /// flushed.
    fn admit(
        &self,
        stream: &TcpStream,
        from: SocketAddr,
        service: &Service,
        limits: &Limits,
    ) -> Option<(Peer, Taken)> {
        let IpAddr::V4(address) = from.ip().to_canonical() else {
            return None;
        };
        if !was_diverted(stream) {
            tracing::warn!(%address, "a connection that was not diverted is refused");
            return None;
        }
        let uid = match self.origin {
            Origin::Attested => service.pod_at(address),
            Origin::Unattested => None,
        };
        let owner = uid.clone().map_or(Owner::Unattested(address), Owner::Pod);
        let Some(taken) = limits.take(owner) else {
            service.metrics.connections_refused.inc();
            return None;
        };
        if taken.made_room {
            service.metrics.connections_ended.inc();
        }
        Some((Peer { address, uid }, taken))
    }
}

fn was_diverted(stream: &TcpStream) -> bool {
    let original = SockRef::from(stream)
        .original_dst_v4()
        .ok()
        .and_then(|to| to.as_socket_ipv4());
    original == Some(SocketAddrV4::new(IMDS, IMDS_PORT))
}

/// Serves a connection until it is over, or until its place is needed for another.
async fn serve_while_allowed(
    stream: TcpStream,
    peer: Peer,
    taken: Taken,
    service: Arc<Service>,
    drain: Drain,
) {
    let Taken { place, ended, .. } = taken;
    tokio::select! {
        () = serve_connection(stream, &peer, &place, &service, &drain) => {}
        _needed = ended => tracing::debug!(address = %peer.address, "an idle connection made room"),
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: &Peer,
    place: &Place,
    service: &Service,
    drain: &Drain,
) {
    // Answers are one small segment each; waiting to fill it would only delay them.
    let _best_effort = stream.set_nodelay(true);
    let address: Ipv4Addr = peer.address;
    let answer = service_fn(|request| respond(service, peer, place, request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(Wire::new(stream)), answer);
    let served = tokio::select! {
        served = &mut connection => served,
        () = drain.draining() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                served = &mut connection => served,
                () = drain.forced() => return,
            }
        }
    };
    match served {
        Ok(()) => {}
        Err(error) if error.is_timeout() => {
            let parts = connection.into_parts();
            // Who is merely silent between two requests is not spoken to out of turn.
            if !parts.read_buf.is_empty() {
                let mut wire = parts.io.into_inner();
                let answer = refusal(StatusCode::REQUEST_TIMEOUT);
                let _gone = tokio::time::timeout(LAST_WORDS, wire.write_all(&answer)).await;
            }
        }
        Err(error) => tracing::debug!(%address, %error, "a connection ended badly"),
    }
}

/// Bodies are not read: no request here has a use for one, and HTTP ends the connection after one
/// that was not.
async fn respond(
    service: &Service,
    peer: &Peer,
    place: &Place,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (parts, _body) = request.into_parts();
    // Nothing is on its way to somebody who is not attested: who only waits for a refusal can make
    // room for another.
    place.set_idle(peer.uid.is_none());
    let response = service.answer(peer, &parts).await;
    place.set_idle(true);
    Ok(response)
}
