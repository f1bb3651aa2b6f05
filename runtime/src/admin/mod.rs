//! `/healthz`, `/readyz` and `/metrics`, at an address and at a socket in the file system.

mod probe;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, JoinSet};

pub use probe::{ProbeError, fetch, probe};

use crate::drain::Drain;
use crate::readiness::{PendingCheck, Readiness};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Most connections at a time. A probe and a scrape or two are all there should be; the one that is
/// open longest is closed for a new one, so that silent connections do not keep probes out.
const CONNECTIONS: usize = 64;
/// How long one connection may last, which is for one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the admin server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen on the admin address {address}; choose another with --admin-addr")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen on the admin socket {}; is its folder there, and can it be written?", .path.display())]
    Socket {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The pages that an admin server answers with. Clones answer alike.
#[derive(Clone, Debug)]
pub struct AdminPages(Router);

impl AdminPages {
    /// The pages of a process with these checks and metrics.
    #[must_use]
    pub fn new(readiness: Readiness, drain: Drain, registry: Registry) -> Self {
        Self(router(readiness, drain, registry))
    }

    /// These pages and one more, whose content is made when it is asked for. While there is none it is answered
    /// with 503.
    #[must_use]
    pub fn with_json<T, F>(
        self,
        path: &str,
        content: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize,
        F: Future<Output = Option<T>> + Send,
    {
        let page = async move || match content().await {
            Some(content) => Json(content).into_response(),
            None => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
        };
        Self(self.0.route(path, get(page)))
    }
}

/// A bound admin server that does not serve yet.
#[derive(Debug)]
pub struct Admin<L = TcpListener> {
    listener: L,
}

/// Listens on `address`.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<Admin, AdminError> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|source| AdminError::Bind { address, source })?;
    Ok(Admin { listener })
}

/// Listens on a socket in the file system, in place of one that an earlier process has left there. Only its
/// owner can connect.
///
/// # Errors
/// When the file cannot be made.
pub fn bind_socket(path: &Path) -> Result<Admin<UnixListener>, AdminError> {
    let failed = |source| AdminError::Socket {
        path: path.to_owned(),
        source,
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Admin { listener })
}

impl From<TcpListener> for Admin {
    fn from(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl<L: Listener<Addr: Debug>> Admin<L> {
    /// The address really bound, with the real port.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }

    /// Serves until cut off: probes are answered while the process drains.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn serve(mut self, pages: AdminPages) -> Result<(), AdminError> {
        tracing::info!(address = ?self.listener.local_addr().ok(), "admin server listening");
        let (mut connections, mut by_age) = (JoinSet::new(), VecDeque::new());
        loop {
            tokio::select! {
                Some(_ended) = connections.join_next() => {
                    by_age.retain(|one: &AbortHandle| !one.is_finished());
                }
                (stream, _) = self.listener.accept() => {
                    if by_age.len() >= CONNECTIONS
                        && let Some(oldest) = by_age.pop_front()
                    {
                        oldest.abort();
                    }
                    by_age.push_back(connections.spawn(answer(stream, pages.0.clone())));
                }
            }
        }
    }
}

/// Answers one request and ends the connection.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
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
