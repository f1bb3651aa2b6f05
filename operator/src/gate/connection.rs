//! The connections to the API server. kube itself waits for ever for an answer over one that is dead, as it is after a
//! firewall has forgotten it, and then takes the next that has waited in the pool for as long.

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use kube::client::Body;
use kube::{Client, Config};
use tower::{BoxError, Service};

/// Why a call was given up. What it asked for may have been done.
#[derive(Debug, thiserror::Error)]
#[error(
    "the API server gave no whole answer to {what} within {} s, and its connections were given up; is it, \
     a webhook that it asks, or something on the way to it down or overloaded?",
    limit.as_secs()
)]
pub(super) struct NoAnswer {
    what: String,
    limit: Duration,
}

/// Sends calls, each of which ends in time. Of a watch that is the time until it begins: for how long it may then be
/// silent, its reader knows. When one was given up, whatever comes later goes over new connections.
#[derive(Clone)]
pub(super) struct Connection {
    config: Config,
    limit: Duration,
    pool: Arc<Mutex<Pool>>,
}

/// Connections that are used again and again.
#[derive(Clone)]
struct Pool {
    client: Client,
    is_given_up: Arc<AtomicBool>,
}

impl Pool {
    fn new(config: &Config) -> kube::Result<Self> {
        Ok(Self {
            client: Client::try_from(config.clone())?,
            is_given_up: Arc::default(),
        })
    }
}

impl Connection {
    /// Connections that are made when they are needed. An attempt is made once, and takes `limit` at most.
    pub(super) fn new(mut config: Config, limit: Duration) -> kube::Result<Self> {
        // What repeats must be above the gate, which sees each attempt.
        config.default_retry = false;
        let pool = Arc::new(Mutex::new(Pool::new(&config)?));
        Ok(Self {
            config,
            limit,
            pool,
        })
    }

    fn pool(&self) -> kube::Result<Pool> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.is_given_up.load(Ordering::Relaxed) {
            *pool = Pool::new(&self.config)?;
        }
        Ok(pool.clone())
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<UnsyncBoxBody<Bytes, kube::Error>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (pool, limit) = (self.pool(), self.limit);
        Box::pin(async move {
            let pool = pool?;
            let what = format!("{} {}", request.method(), request.uri().path());
            match tokio::time::timeout(limit, pool.send(request)).await {
                Ok(answer) => Ok(answer?),
                Err(_elapsed) => {
                    pool.is_given_up.store(true, Ordering::Relaxed);
                    Err(NoAnswer { what, limit }.into())
                }
            }
        })
    }
}

impl Pool {
    async fn send(
        &self,
        request: Request<Body>,
    ) -> kube::Result<Response<UnsyncBoxBody<Bytes, kube::Error>>> {
        let is_watch = is_watch(&request);
        let (head, body) = self.client.send(request).await?.into_parts();
        let body = match is_watch {
            true => self.followed(body),
            // kube reads the whole of it as well; read here, the limit holds to its end.
            false => {
                let whole = body.collect().await?;
                whole.map_err(|never| match never {}).boxed_unsync()
            }
        };
        Ok(Response::from_parts(head, body))
    }

    /// A watch that its reader drops before it has ended was silent for too long.
    fn followed(&self, body: Body) -> UnsyncBoxBody<Bytes, kube::Error> {
        let guard = GivenUpUnlessEnded(Some(Arc::clone(&self.is_given_up)));
        let frames = BodyStream::new(body).map(Some);
        let frames = frames.chain(stream::once(ready(None)));
        let frames = frames.scan(guard, |guard, frame| {
            if frame.is_none() {
                guard.0 = None;
            }
            ready(frame)
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// Gives a pool up when it is dropped.
struct GivenUpUnlessEnded(Option<Arc<AtomicBool>>);

impl Drop for GivenUpUnlessEnded {
    fn drop(&mut self) {
        if let Some(is_given_up) = &self.0 {
            is_given_up.store(true, Ordering::Relaxed);
        }
    }
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair == "watch=true")
}

#[cfg(test)]
mod tests;
