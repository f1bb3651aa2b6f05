//! A stand-in for an API server that answers lists.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Lists of objects by their plural; a kind that has none answers with this status.
pub(crate) type Lists = BTreeMap<&'static str, Result<Vec<Value>, u16>>;

struct Answers {
    lists: Lists,
    calls: AtomicUsize,
}

/// A stand-in for an API server, and a kubeconfig for it with the context `prod`, which is not the current one.
pub(crate) struct Cluster {
    folder: TempDir,
    answers: Arc<Answers>,
    _runtime: tokio::runtime::Runtime,
}

/// One object a page, as a server with many objects answers.
async fn answer(
    State(answers): State<Arc<Answers>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    answers.calls.fetch_add(1, Ordering::Relaxed);
    assert_eq!(method, Method::GET, "{uri}");
    // The last word of the path, with the namespace before it where it names one.
    let plural = match uri.path().split_once("/namespaces/") {
        Some((_, inside)) => inside,
        None => uri.path().rsplit('/').next().unwrap_or_default(),
    };
    match answers.lists.get(plural) {
        Some(Ok(objects)) => {
            let at: usize = query.get("continue").map_or(0, |it| it.parse().unwrap());
            let page: Vec<&Value> = objects.iter().skip(at).take(1).collect();
            let more = (at + 1 < objects.len()).then(|| (at + 1).to_string());
            let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"continue": more}, "items": page});
            (StatusCode::OK, Json(list))
        }
        other => {
            let code = other
                .and_then(|it| it.as_ref().err().copied())
                .unwrap_or(404);
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                "reason": "Refused", "message": format!("{plural} is refused")});
            (StatusCode::from_u16(code).unwrap(), Json(status))
        }
    }
}

impl Cluster {
    pub(crate) fn new(lists: Lists) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answers = Arc::new(Answers {
            lists,
            calls: AtomicUsize::new(0),
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&answers));
        runtime.spawn(async move { axum::serve(listener, app).await });
        let folder = TempDir::new().unwrap();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "none",
            "clusters": [{"name": "prod", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "me"}}],
        });
        std::fs::write(folder.path().join("config"), kubeconfig.to_string()).unwrap();
        Self {
            folder,
            answers,
            _runtime: runtime,
        }
    }

    /// The kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// How many calls came.
    pub(crate) fn calls(&self) -> usize {
        self.answers.calls.load(Ordering::Relaxed)
    }
}
