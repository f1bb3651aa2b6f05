//! A server that gives the answers set by the test, and records the requests.

use std::{
    collections::{HashMap, VecDeque},
    io::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    serve::Listener,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls, server::TlsStream};

use crate::{
    Arm, ArmGate, AzureCloud, Credential, CredentialOptions, Endpoints, OpenGate, Secret,
    Transport, TransportOptions, arm::RetryPolicy,
};

const TOKEN_PATH: &str = "/tenant/oauth2/v2.0/token";

/// A request that was made.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer to give.
#[derive(Clone, Debug)]
pub(super) struct CannedAnswer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl CannedAnswer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        Self::json(
            status,
            json!({"error": {"code": code, "message": "because"}}),
        )
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, VecDeque<CannedAnswer>>,
    seen: Vec<Seen>,
    tokens: u32,
}

type Shared = Arc<Mutex<Script>>;

/// A fake of ARM and Entra, under one address on a port of its own.
pub(super) struct Canned {
    pub(super) url: String,
    ca: NamedTempFile,
    script: Shared,
}

impl Canned {
    pub(super) async fn start() -> Self {
        let script = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut ca = NamedTempFile::new().unwrap();
        ca.write_all(key.cert.pem().as_bytes()).unwrap();
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&script));
        let listener = Tls {
            listener,
            acceptor: acceptor(&key),
        };
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, ca, script }
    }

    /// Gives these answers in turn; the last one again and again.
    pub(super) fn on(
        &self,
        method: &str,
        path: &str,
        answers: impl IntoIterator<Item = CannedAnswer>,
    ) {
        let answers = answers.into_iter().collect();
        self.script
            .lock()
            .unwrap()
            .answers
            .insert(format!("{method} {path}"), answers);
    }

    /// The requests made, without those for tokens.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let script = self.script.lock().unwrap();
        script
            .seen
            .iter()
            .filter(|seen| seen.path != TOKEN_PATH)
            .cloned()
            .collect()
    }

    pub(super) fn arm(&self) -> Arm {
        self.arm_at(&self.url)
    }

    /// A connection through a gate.
    pub(super) fn arm_behind(&self, gate: Arc<dyn ArmGate>) -> Arm {
        self.connect(&self.url, gate)
    }

    /// A connection that has Entra here and ARM elsewhere.
    pub(super) fn arm_at(&self, url: &str) -> Arm {
        self.connect(url, Arc::new(OpenGate))
    }

    fn connect(&self, url: &str, gate: Arc<dyn ArmGate>) -> Arm {
        let options = TransportOptions {
            extra_ca_file: Some(self.ca.path().to_owned()),
            request_timeout: Duration::from_secs(10),
            ..TransportOptions::default()
        };
        let endpoints = Endpoints::of(AzureCloud::Public).with_arm(url).unwrap();
        let endpoints = endpoints.with_authority(&self.url).unwrap();
        let transport = Transport::new(&options).unwrap();
        let options = CredentialOptions::ClientSecret {
            tenant_id: "tenant".to_owned(),
            client_id: "client".to_owned(),
            secret: Secret::new("the-password"),
        };
        let credential = Credential::new(options, &endpoints, &transport).unwrap();
        let retry = RetryPolicy {
            first_delay: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        Arm::new(endpoints, transport, credential, gate).with_retry(retry)
    }
}

async fn answer(State(script): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let mut script = script.lock().unwrap();
    let answer = script.next(&seen);
    script.seen.push(seen);
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

impl Script {
    fn next(&mut self, seen: &Seen) -> CannedAnswer {
        if let Some(answers) = self
            .answers
            .get_mut(&format!("{} {}", seen.method, seen.path))
        {
            let last = answers.len() == 1;
            let answer = if last {
                answers.front().cloned()
            } else {
                answers.pop_front()
            };
            return answer.unwrap();
        }
        if seen.path == TOKEN_PATH {
            self.tokens += 1;
            let token = format!("token-{}", self.tokens);
            return CannedAnswer::json(
                200,
                json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}),
            );
        }
        CannedAnswer::error(501, "NotInTheScript")
    }
}

/// A listener that speaks TLS.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn acceptor(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
