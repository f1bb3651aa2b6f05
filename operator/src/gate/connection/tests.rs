//! Against a real server on the loopback, whose connections go dead when a test says so. Then tokio's clock is stopped,
//! so that it leaps to the end of whatever is waited for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::body::Body as AnswerBody;
use axum::extract::ConnectInfo;
use axum::http::Uri;
use axum::response::IntoResponse;
use futures::future::join;
use http::header;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::WatchParams;
use kube::client::ClientBuilder;
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use super::*;

const LIMIT: Duration = Duration::from_secs(45);

/// The connections that are dead, and all that there are.
#[derive(Default)]
struct Connections {
    dead: Vec<SocketAddr>,
    all: Vec<SocketAddr>,
}

#[derive(Clone)]
struct Server {
    connections: Arc<Mutex<Connections>>,
    /// Where requests for `together` wait for each other, so that each has a connection of its own.
    together: Arc<Barrier>,
    /// Whether an answer ends after its head.
    heads_only: Arc<AtomicBool>,
}

impl Server {
    async fn start() -> (Self, Api<ConfigMap>) {
        podid_runtime::process::init();
        let server = Self {
            connections: Arc::default(),
            together: Arc::new(Barrier::new(2)),
            heads_only: Arc::default(),
        };
        let answering = server.clone();
        let answer = move |ConnectInfo(from): ConnectInfo<SocketAddr>, uri: Uri| async move {
            answering.answer(from, &uri).await
        };
        let app = Router::new().fallback(answer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let connection = Connection::new(Config::new(url.parse().unwrap()), LIMIT).unwrap();
        let client = ClientBuilder::new(connection, "shop").build();
        (server, Api::namespaced(client, "shop"))
    }

    async fn answer(&self, from: SocketAddr, uri: &Uri) -> impl IntoResponse + use<> {
        let is_dead = {
            let mut connections = self.connections.lock().unwrap();
            if !connections.all.contains(&from) {
                connections.all.push(from);
            }
            connections.dead.contains(&from)
        };
        if is_dead {
            std::future::pending::<()>().await;
        }
        if uri.path().ends_with("/together") {
            self.together.wait().await;
        }
        let query = uri.query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let json = [(header::CONTENT_TYPE, "application/json")];
        if is_watch || self.heads_only.load(Ordering::Relaxed) {
            let silence = stream::pending::<Result<Bytes, Infallible>>();
            return (json, AnswerBody::from_stream(silence));
        }
        let object = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}"#;
        (json, AnswerBody::from(object))
    }

    /// All connections that there are go dead; how many they are.
    fn all_dead(&self) -> usize {
        let mut connections = self.connections.lock().unwrap();
        connections.dead = connections.all.clone();
        tokio::time::pause();
        connections.dead.len()
    }
}

fn says_no_answer<T>(answer: kube::Result<T>, to: &str) {
    let error = answer.err().expect("no answer");
    let text = podid_runtime::process::chain(&error);
    let said = format!("no whole answer to GET /api/v1/namespaces/shop/configmaps{to} within 45 s");
    assert!(text.contains(&said), "{text}");
}

#[tokio::test]
async fn one_call_tells_that_the_connections_are_dead_and_the_next_has_a_new_one() {
    let (server, api) = Server::start().await;
    let (one, other) = join(api.get("together"), api.get("together")).await;
    one.and(other).unwrap();
    assert_eq!(server.all_dead(), 2);
    says_no_answer(api.get("web").await, "/web");
    tokio::time::resume();
    api.get("web").await.unwrap();
}

#[tokio::test]
async fn an_answer_without_an_end_is_none() {
    let (server, api) = Server::start().await;
    server.heads_only.store(true, Ordering::Relaxed);
    tokio::time::pause();
    says_no_answer(api.get("web").await, "/web");
}

#[tokio::test]
async fn a_watch_must_begin_in_time_and_may_then_be_silent() {
    let (server, api) = Server::start().await;
    api.get("web").await.unwrap();
    let params = WatchParams::default();
    let mut begun = pin!(api.watch(&params, "0").await.unwrap());
    tokio::time::pause();
    let an_hour = tokio::time::timeout(Duration::from_secs(3600), begun.next()).await;
    assert!(an_hour.is_err(), "{an_hour:?}");
    tokio::time::resume();

    api.get("web").await.unwrap();
    server.all_dead();
    says_no_answer(api.watch(&params, "0").await, "");
}

#[tokio::test]
async fn when_the_reader_of_a_watch_gives_it_up_calls_have_new_connections() {
    let (server, api) = Server::start().await;
    let watch = api.watch(&WatchParams::default(), "0").await.unwrap();
    api.get("web").await.unwrap();
    assert_eq!(server.all_dead(), 2);
    tokio::time::resume();
    drop(watch);
    api.get("web").await.unwrap();
}
