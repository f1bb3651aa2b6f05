//! `/healthz`, `/readyz` and `/metrics`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::drain::Drain;
use crate::readiness::{PendingCheck, Readiness};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Most connections at a time. A probe and a scrape or two are all there should be; the one that is
/// open longest is closed for a new one, so that silent connections do not keep probes out.
const CONNECTIONS: usize = 64;
/// How long one connection may last, which is for one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the admin server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen on the admin address {address}; choose another with --admin-addr")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A bound admin server that does not serve yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

/// Listens on `address`.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<Admin, AdminError> {
    let failed = |source| AdminError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Admin { listener, address })
}

impl Admin {
    /// The address really bound, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until cut off: probes are answered while the process drains.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn serve(
        self,
        readiness: Readiness,
        drain: Drain,
        registry: Registry,
    ) -> Result<(), AdminError> {
        tracing::info!(address = %self.address, "admin server listening");
        let router = router(readiness, drain, registry);
        let (mut connections, mut by_age) = (JoinSet::new(), VecDeque::new());
        loop {
            tokio::select! {
                Some(_ended) = connections.join_next() => {
                    by_age.retain(|one: &AbortHandle| !one.is_finished());
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        if by_age.len() >= CONNECTIONS
                            && let Some(oldest) = by_age.pop_front()
                        {
                            oldest.abort();
                        }
                        by_age.push_back(connections.spawn(answer(stream, router.clone())));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the admin address cannot be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Answers one request and ends the connection.
async fn answer(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        tracing::debug!(%error, "a connection to the admin address ended badly");
    }
}

#[derive(Clone)]
struct AdminState {
    readiness: Readiness,
    drain: Drain,
    registry: Arc<Registry>,
}

fn router(readiness: Readiness, drain: Drain, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(AdminState {
            readiness,
            drain,
            registry: Arc::new(registry),
        })
}

/// An answer means that the runtime still schedules. A dead task needs no check here: it ends the
/// process.
async fn health() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadyResponse {
    ready: bool,
    draining: bool,
    pending: Vec<PendingCheck>,
}

impl ReadyResponse {
    fn text(&self) -> String {
        let mut lines = vec![if self.ready { "ready" } else { "not ready" }.to_owned()];
        if self.draining {
            lines.push("- stopping".to_owned());
        }
        lines.extend(
            self.pending
                .iter()
                .map(|check| format!("- {} ({} s)", check.name, check.seconds)),
        );
        lines.join("\n") + "\n"
    }
}

async fn ready(State(shared): State<AdminState>, headers: HeaderMap) -> Response {
    let (draining, pending) = (shared.drain.is_draining(), shared.readiness.pending());
    let response = ReadyResponse {
        ready: !draining && pending.is_empty(),
        draining,
        pending,
    };
    let status = if response.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if wants_json(&headers) {
        (status, Json(response)).into_response()
    } else {
        (status, response.text()).into_response()
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

async fn metrics(State(shared): State<AdminState>) -> Response {
    let text = crate::metrics::text(&shared.registry);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

#[cfg(test)]
mod tests;
