//! git's own smart HTTP server, `git http-backend`, behind a small web server that asks for a password.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio_rustls::TlsAcceptor;

use super::fixture::Bare;

/// `writer:hunter2`, as HTTP's basic scheme sends it.
const WRITER: &str = "Basic d3JpdGVyOmh1bnRlcjI=";
/// `reader:hunter2`, who may not push.
const READER: &str = "Basic cmVhZGVyOmh1bnRlcjI=";

type BeforePush = Box<dyn Fn() + Send + Sync>;

/// Serves one repository as `/fleet.git`, until the process ends.
pub(crate) struct Server {
    address: SocketAddr,
}

struct Served {
    folder: PathBuf,
    /// What happens before a push is handed to git.
    before_push: BeforePush,
}

impl Server {
    pub(crate) fn of(bare: &Bare) -> Self {
        Self::with(bare, Box::new(|| {}))
    }

    pub(crate) fn with(bare: &Bare, before_push: BeforePush) -> Self {
        let served = Arc::new(Served {
            folder: bare.folder.path().to_owned(),
            before_push,
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener, router(served), None);
        Self { address }
    }

    /// The same over TLS, with a certificate that no system trusts; returns that, in PEM form.
    pub(crate) fn with_tls(bare: &Bare) -> (Self, String) {
        let served = Arc::new(Served {
            folder: bare.folder.path().to_owned(),
            before_push: Box::new(|| {}),
        });
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener, router(served), Some(Arc::new(config)));
        (Self { address }, made.cert.pem())
    }

    /// A URL on this server; `login` is empty or ends with `@`.
    pub(crate) fn url(&self, login: &str, path: &str) -> String {
        format!("http://{login}{}/{path}", self.address)
    }

    /// The same with https.
    pub(crate) fn tls_url(&self, login: &str, path: &str) -> String {
        format!("https://{login}{}/{path}", self.address)
    }
}

fn router(served: Arc<Served>) -> axum::Router {
    axum::Router::new()
        .route("/fleet.git/{*rest}", any(answer))
        .route("/old.git/{*rest}", any(moved))
        .route("/shop/{*rest}", any(async || "a shop"))
        .with_state(served)
}

/// Serves in a thread of its own, until the process ends.
fn serve(
    listener: std::net::TcpListener,
    router: axum::Router,
    tls: Option<Arc<rustls::ServerConfig>>,
) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        listener.set_nonblocking(true).unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            match tls {
                None => axum::serve(listener, router).await.unwrap(),
                Some(config) => serve_tls(listener, router, config.into()).await,
            }
        });
    });
}

async fn serve_tls(listener: tokio::net::TcpListener, router: axum::Router, tls: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, service) = (tls.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            // A client that does not trust the certificate hangs up, as one test wants.
            if let Ok(stream) = tls.accept(stream).await {
                let _closed = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        });
    }
}

async fn moved(uri: Uri) -> Response {
    let to = uri.to_string().replacen("/old.git/", "/fleet.git/", 1);
    let response = Response::builder().status(StatusCode::MOVED_PERMANENTLY);
    response.header("location", to).body(Body::empty()).unwrap()
}

async fn answer(
    State(served): State<Arc<Served>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let login = text("authorization");
    if login != WRITER && login != READER {
        return refuse(StatusCode::UNAUTHORIZED, "who are you?");
    }
    if login == READER && uri.to_string().contains("git-receive-pack") {
        return refuse(
            StatusCode::FORBIDDEN,
            "Write access to repository not granted.",
        );
    }
    let content_type = text("content-type");
    let run = move || backend(&served, &method, &uri, &content_type, &body);
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn refuse(status: StatusCode, words: &'static str) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .header("www-authenticate", "Basic realm=\"git\"")
        .body(Body::from(words))
        .unwrap()
}

/// Runs `git http-backend` as a CGI program.
fn backend(
    served: &Served,
    method: &Method,
    uri: &Uri,
    content_type: &str,
    body: &[u8],
) -> Response {
    if uri.path().ends_with("/git-receive-pack") {
        (served.before_push)();
    }
    let path = uri.path().strip_prefix("/fleet.git").unwrap();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env(
            "PATH_TRANSLATED",
            format!("{}{path}", served.folder.display()),
        )
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", method.as_str())
        .env("CONTENT_TYPE", content_type)
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_USER", "writer")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap()),
            name => response.header(name, value),
        };
    }
    response
        .body(Body::from(output[end + 4..].to_vec()))
        .unwrap()
}
