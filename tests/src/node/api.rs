//! A stand-in for the API server: lists and watches, over plain HTTP on the node's loopback.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::test_node::TestNode;

/// The objects, and all that happened to them.
#[derive(Debug, Default)]
struct Store {
    /// By collection (`pods`), then by name.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// Collection and watch event; its place is its resource version.
    history: Vec<(String, Value)>,
    /// Events that were posted.
    events: Vec<Value>,
    /// Queries of list requests, by collection.
    queries: BTreeMap<String, String>,
    /// Secrets that were read, as namespace/name, whether they are there or not.
    secrets_read: Vec<String>,
    /// Whether nobody may read a Secret.
    secrets_forbidden: bool,
}

#[derive(Clone, Debug)]
struct Shared {
    store: Arc<Mutex<Store>>,
    version: Arc<watch::Sender<usize>>,
    held: Arc<watch::Sender<bool>>,
}

/// See the module. Objects outlive [`ApiServer::stop`].
#[derive(Debug)]
pub struct ApiServer {
    shared: Shared,
    /// Its own, so that stopping it ends every connection.
    runtime: Option<Runtime>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ApiServer {
    /// Starts one without objects.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(test_node: &TestNode) -> Result<Self> {
        let listener = test_node.listen((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (version, _) = watch::channel(0);
        let shared = Shared {
            store: Arc::default(),
            version: Arc::new(version),
            held: Arc::new(watch::channel(false).0),
        };
        let router = Router::new().fallback(serve).with_state(shared.clone());
        let runtime = Runtime::new()?;
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await
        });
        Ok(Self {
            shared,
            runtime: Some(runtime),
            address,
        })
    }

    /// Creates or changes an object.
    pub fn put(&self, object: &Value) {
        let (collection, name) = (collection(object), name(object));
        let mut store = self.shared.store();
        let known = store.objects.entry(collection.clone()).or_default();
        let kind = if known.contains_key(&name) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.record(&mut store, collection, kind, object.clone());
    }

    /// Deletes an object.
    pub fn delete(&self, object: &Value) {
        self.record(
            &mut self.shared.store(),
            collection(object),
            "DELETED",
            object.clone(),
        );
    }

    fn record(&self, store: &mut Store, collection: String, kind: &str, mut object: Value) {
        let version = store.history.len() + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let known = store.objects.entry(collection.clone()).or_default();
        match kind {
            "DELETED" => known.remove(&name(&object)),
            _ => known.insert(name(&object), object.clone()),
        };
        store
            .history
            .push((collection, json!({"type": kind, "object": object})));
        self.shared.version.send_replace(version);
    }

    /// Lets new requests wait until [`release`](Self::release); watches that are open go on.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Answers the requests that wait.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// Ends every connection and refuses new ones.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// The Events that were posted, as texts.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.shared
            .store()
            .events
            .iter()
            .map(Value::to_string)
            .collect()
    }

    /// The query by which a collection was listed first.
    #[must_use]
    pub fn query(&self, collection: &str) -> Option<String> {
        self.shared.store().queries.get(collection).cloned()
    }

    /// Secrets that were asked for, as namespace/name.
    #[must_use]
    pub fn secrets_read(&self) -> Vec<String> {
        self.shared.store().secrets_read.clone()
    }

    /// Forbids reading Secrets, as without a Role, or allows it again.
    pub fn forbid_secrets(&self, forbidden: bool) {
        self.shared.store().secrets_forbidden = forbidden;
    }

    /// Writes a kubeconfig that leads here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        Ok(std::fs::write(path, config.to_string())?)
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `azureidentities` for an AzureIdentity.
fn collection(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn serve(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    let collection = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut held = shared.held.subscribe();
    // An error says that the server is ending.
    let _released = held.wait_for(|held| !held).await.map(drop);
    if method == Method::POST && collection == "events" {
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        shared.store().events.push(event.clone());
        return (StatusCode::CREATED, Json(event)).into_response();
    }
    if let Some(("secrets", name)) = object_in(uri.path()) {
        return secret(&shared, uri.path(), name);
    }
    if query.contains_key("watch") {
        let from = query
            .get("resourceVersion")
            .and_then(|v| v.parse().ok())
            .unwrap_or_default();
        return follow(&shared, collection, from);
    }
    let mut store = shared.store();
    let asked = uri.query().unwrap_or_default().to_owned();
    store.queries.entry(collection.clone()).or_insert(asked);
    let items: Vec<&Value> = store
        .objects
        .get(&collection)
        .into_iter()
        .flat_map(BTreeMap::values)
        .collect();
    let version = store.history.len().to_string();
    Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}))
        .into_response()
}

/// Collection and name, for the path of one object of a namespace.
fn object_in(path: &str) -> Option<(&str, &str)> {
    let mut segments = path.rsplit('/');
    let (name, collection) = (segments.next()?, segments.next()?);
    let (_namespace, kind) = (segments.next()?, segments.next()?);
    (kind == "namespaces").then_some((collection, name))
}

/// A Secret; the store knows objects by name only, so its namespace is compared.
fn secret(shared: &Shared, path: &str, name: &str) -> Response {
    let namespace = path.rsplit('/').nth(2).unwrap_or_default();
    let mut store = shared.store();
    store.secrets_read.push(format!("{namespace}/{name}"));
    let known = store.objects.get("secrets").and_then(|all| all.get(name));
    let known = known.filter(|object| object["metadata"]["namespace"] == namespace);
    let (code, reason) = match known {
        _ if store.secrets_forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
        Some(object) => return Json(object).into_response(),
        None => (StatusCode::NOT_FOUND, "NotFound"),
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": reason, "code": code.as_u16(),
    });
    (code, Json(status)).into_response()
}

/// All events of a collection after a version, those to come included.
fn follow(shared: &Shared, collection: String, from: usize) -> Response {
    let (shared, version) = (shared.clone(), shared.version.subscribe());
    let lines = futures::stream::unfold((version, from), move |(mut version, at)| {
        let (shared, collection) = (shared.clone(), collection.clone());
        async move {
            version.wait_for(|now| *now > at).await.ok()?;
            let store = shared.store();
            let news = store
                .history
                .iter()
                .skip(at)
                .filter(|(of, _)| *of == collection);
            let text: String = news.map(|(_, event)| format!("{event}\n")).collect();
            let end = store.history.len();
            drop(store);
            Some((Ok::<_, Infallible>(text), (version, end)))
        }
    });
    Body::from_stream(lines.filter(|text| {
        let empty = text.as_ref().is_ok_and(String::is_empty);
        futures::future::ready(!empty)
    }))
    .into_response()
}
