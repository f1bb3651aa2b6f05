//! Sockets: accepting connections, TLS, HTTP/1.1, and reading a request to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::message::{Reply, Request};
use crate::router::{self, DroppedByFault, Endpoint};
use crate::shared::Shared;

/// Longest request body in bytes; ARM has the same limit.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// Time a client has for its TLS handshake, and again for its headers.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after an `accept` that failed. The usual cause is a lack of file descriptors, and an
/// immediate retry would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Registers a bound listener with tokio. The listener stays in the network namespace in which it
/// was bound.
pub(crate) fn into_tokio(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves each client the endpoint that there is for its address, until the task is aborted. Its
/// connections end with it: the `JoinSet` aborts them when it is dropped.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    endpoint_for: impl Fn(SocketAddr) -> Option<Endpoint>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Reaps ended connections, so that the set does not grow without limit.
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(endpoint) = endpoint_for(peer) else {
            tracing::debug!(%peer, "nothing is served to this client");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(connect(shared, stream, peer, tls, endpoint));
    }
}

/// One connection from its TLS handshake, if it has one, to its end.
async fn connect(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    endpoint: Endpoint,
) {
    let Some(tls) = tls else {
        return serve_http(shared, stream, endpoint).await;
    };
    match tokio::time::timeout(CLIENT_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(shared, stream, endpoint).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn serve_http(
    shared: Arc<Shared>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    endpoint: Endpoint,
) {
    let service = service_fn(|request| answer(&shared, &endpoint, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, DroppedByFault> {
    let reply = match read(request).await {
        Ok(request) => router::respond(shared, endpoint, &request).await?,
        Err(status) => Reply::empty(status).with("connection", "close"),
    };
    let mut response = http::Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

/// Reads the body to its end; the error is the status to answer.
async fn read(request: http::Request<Incoming>) -> Result<Request, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?
        .to_bytes();
    let sent = parts
        .headers
        .get(http::header::HOST)
        .and_then(|h| h.to_str().ok());
    let authority = parts
        .uri
        .authority()
        .map(ToString::to_string)
        .or_else(|| sent.map(ToOwned::to_owned))
        .unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    Ok(Request {
        method: parts.method,
        host: host_of(&authority).to_ascii_lowercase(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: parts.headers,
        body,
        authority,
    })
}

/// The host of an authority: without the port, and without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((v6, _)) => v6,
        None => authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host),
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        assert_eq!(host_of("management.azure.com"), "management.azure.com");
        assert_eq!(host_of("127.0.0.1:8443"), "127.0.0.1");
        assert_eq!(host_of("[::1]:8443"), "::1");
        assert_eq!(host_of(""), "");
    }
}
