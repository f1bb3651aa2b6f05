//! An engine that works by webhooks, as Kyverno and Gatekeeper do: a server of the test that the API server asks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::post;
use axum::serve::Listener;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::dropping::create;
use crate::fixture::{Space, listen_beside_the_api_server};

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the engine answers to a pod: patches, or why it refuses it.
pub(super) type Answer = fn(&Value) -> Result<Vec<Value>, String>;

/// Ends with its test.
pub(super) struct WebhookEngine {
    address: SocketAddr,
    certificate: String,
    server: JoinHandle<io::Result<()>>,
}

impl Drop for WebhookEngine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl WebhookEngine {
    pub(super) fn start(answer: Answer) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let tcp = TcpListener::from_std(listen_beside_the_api_server()).unwrap();
        let address = tcp.local_addr().unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let review =
            move |Json(review): Json<Value>| async move { Json(reviewed(&review, answer)) };
        let routes = Router::new().route("/", post(review));
        let server = axum::serve(Tls { tcp, tls }, routes);
        Self {
            address,
            certificate: STANDARD.encode(cert.pem()),
            server: tokio::spawn(async move { server.await }),
        }
    }

    /// Has the API server ask it about each new pod of the namespace. `kind` is `Mutating` or `Validating`.
    pub(super) async fn install(&self, space: &Space, kind: &str) {
        let mut webhook = json!({
            "name": "engine.example.com",
            "clientConfig": {"url": format!("https://{}/", self.address), "caBundle": self.certificate},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        });
        if kind == "Mutating" {
            webhook["reinvocationPolicy"] = json!("IfNeeded");
        }
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": format!("{kind}WebhookConfiguration"),
            "metadata": {"name": format!("engine-{}", space.name)},
            "webhooks": [webhook],
        });
        let plural = format!("{}webhookconfigurations", kind.to_lowercase());
        create(space, &plural, &configuration).await;
    }
}

/// The answer to an AdmissionReview.
fn reviewed(review: &Value, answer: Answer) -> Value {
    let request = &review["request"];
    let response = match answer(&request["object"]) {
        Ok(patches) if patches.is_empty() => json!({"uid": request["uid"], "allowed": true}),
        Ok(patches) => {
            let patch = STANDARD.encode(Value::Array(patches).to_string());
            json!({"uid": request["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch})
        }
        Err(why) => json!({"uid": request["uid"], "allowed": false, "status": {"message": why}}),
    };
    json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
}

struct Tls {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            // A client that does not finish is no reason to stop.
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, self.tls.accept(stream)).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
