//! Calls to the API server.

use std::io;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service};

use super::connection::Connection;
use super::{CallKind, CallSubject, Gate, GateDecision, OutgoingCall};

/// How many requests may wait for the connection; as many as kube's own client lets wait.
const WAITING_REQUESTS: usize = 1024;

/// Longest time for one attempt of a call: longer than the API server waits for one webhook (30 s at most), and
/// short enough that a dead connection is given up within a minute.
const CALL_LIMIT: Duration = Duration::from_secs(45);

/// Why the API server cannot be reached with the given flags.
#[derive(Debug, thiserror::Error)]
pub enum ClusterAccessError {
    /// The file of `--kubeconfig` cannot be used.
    #[error("the kubeconfig cannot be used; check --kubeconfig")]
    Kubeconfig(#[from] KubeconfigError),
    /// There is neither a kubeconfig nor a service account.
    #[error("no way to the API server was found; give --kubeconfig, or run in a pod")]
    Infer(#[from] InferConfigError),
    /// What was found cannot be used.
    #[error(
        "no client for the API server can be made; check the certificates and the credential of the \
         kubeconfig"
    )]
    Client(#[from] kube::Error),
}

/// Address of the API server and the operator's credential for it. Clients are made from it, and
/// nothing else in the operator knows either of the two.
#[derive(Clone, Debug)]
pub struct ClusterAccess(Config);

impl ClusterAccess {
    /// Reads a kubeconfig; without one `$KUBECONFIG`, then the service account of the pod.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub async fn find(
        kubeconfig: Option<&Path>,
        namespace: &str,
    ) -> Result<Self, ClusterAccessError> {
        let mut config = match kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path)?;
                Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
            }
            None => Config::infer().await?,
        };
        namespace.clone_into(&mut config.default_namespace);
        Ok(Self(config))
    }

    /// The client for everything but the lease. It repeats what kube's own client repeats, and the gate
    /// is asked about each attempt. An attempt without an answer is given up within a minute, and is an error.
    ///
    /// # Errors
    /// The credential or the certificates cannot be used.
    pub fn client(&self, gate: Gate) -> Result<Client, ClusterAccessError> {
        // kube's own repeats happen below every layer that can be added, where no gate sees them. They
        // are switched off there and made above the gate, by the same policy.
        let builder = self
            .connect(CALL_LIMIT)?
            .with_layer(&GateLayer(gate))
            // Repeating needs a service that can be cloned.
            .with_layer(&BufferLayer::new(WAITING_REQUESTS))
            .with_layer(&RetryLayer::new(RetryPolicy::server_retry()));
        Ok(builder.build())
    }

    /// The client for the lease, by which the leader is found: no gate, because a replica that does not
    /// lead must write the lease in order to lead. No repeats, and no call takes longer than `limit`, with
    /// its connection.
    ///
    /// # Errors
    /// The credential or the certificates cannot be used.
    pub(crate) fn lease_client(&self, limit: Duration) -> Result<Client, ClusterAccessError> {
        Ok(self.connect(limit)?.build())
    }

    fn connect(&self, limit: Duration) -> Result<ClientBuilder<Connection>, ClusterAccessError> {
        let connection = Connection::new(self.0.clone(), limit)?;
        let namespace = self.0.default_namespace.clone();
        Ok(ClientBuilder::new(connection, namespace))
    }

    #[cfg(test)]
    pub(super) fn at(url: &str) -> Self {
        Self(Config::new(url.parse().expect("an address")))
    }
}

/// Puts a [`Gate`] before a service.
struct GateLayer(Gate);

impl<S> Layer<S> for GateLayer {
    type Service = GatedService<S>;

    fn layer(&self, inner: S) -> GatedService<S> {
        GatedService {
            inner,
            gate: self.0.clone(),
        }
    }
}

/// A service that sends what the gate lets pass.
struct GatedService<S> {
    inner: S,
    gate: Gate,
}

impl<S> Service<Request<Body>> for GatedService<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.gate.check(&describe(&request)) {
            GateDecision::Send => Box::pin(self.inner.call(request)),
            GateDecision::LoseAnswer => {
                let sent = self.inner.call(request);
                Box::pin(async move {
                    let _lost = sent.await;
                    let lost = "the answer was thrown away";
                    Err(io::Error::new(io::ErrorKind::ConnectionReset, lost).into())
                })
            }
            GateDecision::Refuse(refusal) => Box::pin(async move { Err(refusal.reason) }),
        }
    }
}

fn describe(request: &Request<Body>) -> OutgoingCall {
    let (method, path) = (request.method(), request.uri().path());
    OutgoingCall {
        kind: kind(method, path),
        method: method.clone(),
        subject: CallSubject::Cluster {
            path: path.to_owned(),
        },
    }
}

/// What a request does to the objects in the cluster. The API server answers a review
/// (`subjectaccessreviews` and the like), which is posted, and stores nothing.
fn kind(method: &Method, path: &str) -> CallKind {
    let is_review = method == Method::POST && path.ends_with("reviews");
    if method.is_safe() || is_review {
        CallKind::Read
    } else {
        CallKind::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_known_by_method_and_resource() {
        let core = "/api/v1/namespaces/shop/configmaps";
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        for (method, path) in [
            (Method::GET, core),
            (Method::HEAD, core),
            (Method::POST, review),
        ] {
            assert_eq!(kind(&method, path), CallKind::Read, "{method} {path}");
        }
        for (method, path) in [
            (Method::POST, core),
            (Method::PUT, core),
            (Method::PATCH, core),
            (Method::DELETE, core),
            (Method::DELETE, review),
            (Method::POST, "/api/v1/namespaces/reviews/configmaps"),
            (Method::POST, "/api/v1/namespaces/shop/pods/web/eviction"),
        ] {
            assert_eq!(kind(&method, path), CallKind::Write, "{method} {path}");
        }
    }
}
