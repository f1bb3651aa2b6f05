//! A proxy between a program and the API server. It counts calls, has those fail, wait or get no answer that a test
//! chooses, and its connections go dead or break when the test says so.

use std::collections::HashSet;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Json;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A call that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// Its HTTP method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// Whether it is a watch.
    pub is_watch: bool,
}

impl ApiCall {
    fn of(request: &Request<Incoming>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            is_watch: query.contains("watch=true"),
        }
    }

    /// Whether it may change an object.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !self.method.is_safe() && !self.path.ends_with("reviews")
    }

    /// Whether it is about the Lease by which a leader is found.
    #[must_use]
    pub fn is_of_lease(&self) -> bool {
        self.path.contains("/leases")
    }
}

/// As `PATCH /api/v1/nodes/node-0`.
impl fmt::Display for ApiCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What becomes of a call in place of its answer.
#[derive(Clone, Debug)]
pub enum Effect {
    /// It is refused with this status and reason, and with how long to wait, in seconds.
    Refuse(StatusCode, &'static str, Option<u32>),
    /// It goes on its way this much later.
    Delay(Duration),
    /// It is never answered.
    Swallow,
}

type Matches = dyn Fn(&ApiCall) -> bool + Send;

/// What goes wrong, and for which calls.
pub struct Fault {
    effect: Effect,
    matches: Box<Matches>,
    left: usize,
    /// Calls that were struck, where each is struck once only.
    struck: Option<HashSet<String>>,
}

impl Fault {
    /// For all calls that match.
    pub fn new(effect: Effect, matches: impl Fn(&ApiCall) -> bool + Send + 'static) -> Self {
        Self {
            effect,
            matches: Box::new(matches),
            left: usize::MAX,
            struck: None,
        }
    }

    /// For so many of them.
    #[must_use]
    pub fn times(self, left: usize) -> Self {
        Self { left, ..self }
    }

    /// For the first call of each method and path.
    #[must_use]
    pub fn first_of_each(self) -> Self {
        let struck = Some(HashSet::new());
        Self { struck, ..self }
    }

    fn strikes(&mut self, call: &ApiCall) -> bool {
        if self.left == 0 || !(self.matches)(call) {
            return false;
        }
        let is_new = |struck: &mut HashSet<String>| struck.insert(call.to_string());
        let strikes = self.struck.as_mut().is_none_or(is_new);
        self.left -= usize::from(strikes);
        strikes
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effect, left, .. } = self;
        let fields = &mut f.debug_struct("Fault");
        fields
            .field("effect", effect)
            .field("left", left)
            .finish_non_exhaustive()
    }
}

/// How often connections were made useless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Disruptions {
    dead: usize,
    broken: usize,
}

#[derive(Default)]
struct Log {
    faults: Vec<Fault>,
    calls: Vec<ApiCall>,
    struck: usize,
}

struct Shared {
    upstream: Client,
    log: Mutex<Log>,
    disruptions: watch::Sender<Disruptions>,
}

/// See the module. It ends when it is dropped.
pub struct ApiProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Its own, so that it answers while a test waits.
    runtime: Option<Runtime>,
}

impl ApiProxy {
    /// Serves `listener`, which is where the program reaches it, with the rights of `upstream`.
    ///
    /// # Errors
    /// When it cannot listen, or `upstream` cannot be used.
    pub fn start(listener: TcpListener, mut upstream: Config) -> Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        // Each call goes through as often as the program makes it.
        upstream.default_retry = false;
        let runtime = Runtime::new()?;
        let inside = runtime.enter();
        let shared = Arc::new(Shared {
            upstream: Client::try_from(upstream).context("cannot use the kubeconfig")?,
            log: Mutex::default(),
            disruptions: watch::Sender::default(),
        });
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        drop(inside);
        Ok(Self {
            shared,
            address,
            runtime: Some(runtime),
        })
    }

    /// A kubeconfig for the program.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let cluster = json!({ "server": format!("http://{}", self.address) });
        let context = json!({ "cluster": "proxy", "user": "proxy" });
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{ "name": "proxy", "cluster": cluster }],
            "contexts": [{ "name": "proxy", "context": context }],
            "users": [{ "name": "proxy", "user": {} }],
        });
        kubeconfig.to_string()
    }

    /// Has something go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared.log().faults.push(fault);
    }

    /// Nothing goes wrong any more. What was swallowed stays so.
    pub fn heal(&self) {
        self.shared.log().faults.clear();
    }

    /// The calls that came since the last time.
    #[must_use]
    pub fn take_calls(&self) -> Vec<ApiCall> {
        std::mem::take(&mut self.shared.log().calls)
    }

    /// The calls that came since [`take_calls`](Self::take_calls).
    #[must_use]
    pub fn calls(&self) -> Vec<ApiCall> {
        self.shared.log().calls.clone()
    }

    /// How often a fault struck.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.shared.log().struck
    }

    /// From now on nothing comes or goes over the connections that are open, and nobody is told. New ones work.
    pub fn connections_go_dead(&self) {
        self.shared.disruptions.send_modify(|one| one.dead += 1);
    }

    /// Breaks the connections that are open.
    pub fn break_connections(&self) {
        self.shared.disruptions.send_modify(|one| one.broken += 1);
    }
}

impl fmt::Debug for ApiProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = &mut f.debug_struct("ApiProxy");
        fields
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a call down; what becomes of it.
    fn admit(&self, call: ApiCall) -> Option<Effect> {
        let log = &mut *self.log();
        let fault = log
            .faults
            .iter_mut()
            .find_map(|fault| fault.strikes(&call).then(|| fault.effect.clone()));
        log.struck += usize::from(fault.is_some());
        log.calls.push(call);
        fault
    }

    async fn answer(&self, request: Request<Incoming>) -> kube::Result<Response> {
        match self.admit(ApiCall::of(&request)) {
            Some(Effect::Refuse(status, reason, seconds)) => {
                return Ok(refusal(status, reason, seconds));
            }
            Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
            Some(Effect::Swallow) => std::future::pending().await,
            None => {}
        }
        self.forward(request).await
    }

    async fn forward(&self, request: Request<Incoming>) -> kube::Result<Response> {
        let (mut head, body) = request.into_parts();
        for own in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
            head.headers.remove(own);
        }
        let body = body.collect().await.map_err(kube::Error::HyperError)?;
        let body = body.to_bytes().to_vec();
        let answer = self.upstream.send(Request::from_parts(head, body.into()));
        Ok(answer.await?.map(Body::new))
    }
}

/// Serves one connection until it ends or is broken. Where the API server gives no answer it ends as well.
async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let mut disruptions = shared.disruptions.subscribe();
    let began = *disruptions.borrow();
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        let dead = shared.disruptions.subscribe();
        async move {
            let answer = tokio::select! {
                biased;
                () = until_dead(dead.clone(), began) => std::future::pending().await,
                answer = shared.answer(request) => answer?,
            };
            Ok::<_, kube::Error>(answer.map(|body| silenced(body, dead, began)))
        }
    });
    let broken = async {
        disruptions
            .wait_for(|now| now.broken != began.broken)
            .await
            .is_ok()
    };
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The other side has gone, or the API server.
        _ended = serving => {}
        _broken = broken => {}
    }
}

async fn until_dead(mut disruptions: watch::Receiver<Disruptions>, began: Disruptions) {
    let died = disruptions
        .wait_for(|now| now.dead != began.dead)
        .await
        .is_ok();
    if !died {
        std::future::pending::<()>().await;
    }
}

/// A body of which nothing comes any more once its connection is dead.
fn silenced(body: Body, dead: watch::Receiver<Disruptions>, began: Disruptions) -> Body {
    let state = (body.into_data_stream(), Box::pin(until_dead(dead, began)));
    let silenced = futures::stream::unfold(state, |(mut data, mut until_dead)| async move {
        let next = tokio::select! {
            biased;
            () = &mut until_dead => std::future::pending().await,
            next = data.next() => next,
        };
        next.map(|next| (next, (data, until_dead)))
    });
    Body::from_stream(silenced)
}

fn refusal(status: StatusCode, reason: &str, seconds: Option<u32>) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(),
        "reason": reason, "message": format!("{reason}, says the test"),
    });
    let mut answer = (status, Json(body)).into_response();
    if let Some(seconds) = seconds {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}
