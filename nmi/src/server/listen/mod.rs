//! Takes connections and serves HTTP on them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use podid_runtime::Drain;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::intercept::{Caller, InterceptedConnection, InterceptionEngine};
use crate::server::connection_adapter::{ConnectionAdapter, refusal};
use crate::server::exchange::Exchange;
use crate::server::limits::{AcquiredSlot, ConnectionLimits, ConnectionOwner};
use crate::server::service::{RequestOrigin, TokenService};

/// How long a client may take to send the head of a request, or be silent between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of one head. Requests over the smaller limits of request validation get an answer that
/// says so; this one, times the number of connections, bounds memory.
const HEAD_MAX: usize = 16 * 1024;
/// How long a client may leave an answer unread, or unacknowledged because it is gone.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// How long the answer to a client that is too slow may take.
const TIMEOUT_ANSWER: Duration = Duration::from_secs(1);

/// Serves all connections that the engine yields until the process drains; then takes no more, and
/// returns when the requests under way are answered.
///
/// # Errors
/// None; the type is that of a task.
pub(crate) async fn serve(
    mut engine: Box<dyn InterceptionEngine>,
    service: Arc<TokenService>,
    limits: ConnectionLimits,
    drain: Drain,
) -> Result<(), Infallible> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = drain.draining() => break,
            Some(_ended) = connections.join_next() => {}
            InterceptedConnection { stream, caller } = engine.accept() => {
                if let Some((origin, slot)) = admit(caller, &service, &limits) {
                    let service = Arc::clone(&service);
                    connections.spawn(serve_while_allowed(stream, origin, slot, service, drain.clone()));
                }
            }
        }
    }
    drop(engine);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Decides whether a connection is served, and as which pod's. The pod is fixed here: should its
/// address pass to another pod while the connection is open, the connection is not that pod's.
fn admit(
    caller: Caller,
    service: &TokenService,
    limits: &ConnectionLimits,
) -> Option<(RequestOrigin, AcquiredSlot)> {
    let pod_uid = match caller.is_verified {
        true => service.pod_at(caller.address),
        false => None,
    };
    let owner = pod_uid.clone().map_or(
        ConnectionOwner::Unattested(caller.address),
        ConnectionOwner::Pod,
    );
    let Some(slot) = limits.acquire(owner) else {
        service.metrics.connections_refused.inc();
        return None;
    };
    if slot.made_room {
        service.metrics.connections_ended.inc();
    }
    Some((RequestOrigin { caller, pod_uid }, slot))
}

/// Serves a connection until it is over, or until its slot is needed for another.
async fn serve_while_allowed(
    stream: TcpStream,
    origin: RequestOrigin,
    acquired: AcquiredSlot,
    service: Arc<TokenService>,
    drain: Drain,
) {
    // Answers are one small segment each; waiting to fill it would only delay them.
    let _best_effort = stream.set_nodelay(true);
    let _best_effort = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_MAX));
    let AcquiredSlot { slot, ended, .. } = acquired;
    let exchange = Exchange::new(slot);
    tokio::select! {
        () = serve_connection(stream, &origin, &exchange, &service, &drain) => {}
        _needed = ended => tracing::debug!(address = %origin.caller.address, "an idle connection made room"),
    }
}

/// Serves HTTP until the client or the daemon ends the connection.
pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: &RequestOrigin,
    exchange: &Exchange,
    service: &TokenService,
    drain: &Drain,
) {
    let address = origin.caller.address;
    let answer = service_fn(|request| {
        // Before the HTTP library reads on. Callers that are not attested can be invented, so their connections may
        // be ended for others even while they wait.
        exchange.begin(origin.pod_uid.is_none());
        respond(service, origin, exchange, request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(
            TokioIo::new(ConnectionAdapter::new(stream, exchange)),
            answer,
        );
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
            // A client that is merely silent between two requests expects no answer.
            if !parts.read_buf.is_empty() {
                let mut stream = parts.io.into_inner().into_stream();
                let answer = refusal(StatusCode::REQUEST_TIMEOUT);
                let _gone = tokio::time::timeout(TIMEOUT_ANSWER, stream.write_all(&answer)).await;
            }
        }
        Err(error) => tracing::debug!(%address, %error, "a connection ended badly"),
    }
}

/// Answers by the head alone, because a token request has no use for a body. hyper discards the body: it
/// keeps the connection open only if the whole body has arrived by then, so no part of a body is ever taken
/// for a request.
async fn respond(
    service: &TokenService,
    origin: &RequestOrigin,
    exchange: &Exchange,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, _body) = request.into_parts();
    let response = service.answer(origin, &parts).await;
    exchange.end();
    Ok(response)
}
