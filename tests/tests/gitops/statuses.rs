//! Every status that podid's objects ever had, judged by the rules of Flux.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config};
use podid_lab::Lab;
use podid_lab::tools::{self, ToolGroup};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cluster::condition;

const KINDS: [&str; 2] = ["PodIdentityClass", "PodIdentityProfile"];

/// What two watches have seen since they began.
pub(crate) struct Statuses {
    seen: Arc<Mutex<Vec<Value>>>,
    // Ends the watches when it is dropped.
    _watches: Runtime,
}

impl Statuses {
    /// Begins to record. The kinds must be there.
    pub(crate) fn record(lab: &Lab) -> Self {
        podid_runtime::process::init();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watches = Runtime::new().unwrap();
        let client = watches.block_on(client(lab));
        for kind in KINDS {
            watches.spawn(watch(client.clone(), kind, Arc::clone(&seen)));
        }
        Self {
            seen,
            _watches: watches,
        }
    }

    /// Forgets what was seen: a test that failed has not judged it.
    pub(crate) fn forget(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was new stays, by which the watches are known to have begun in time.
        seen.retain(|object| object["status"]["observedGeneration"] == -1);
    }

    /// Each version is what Flux takes it for: failed when podid says that it cannot go on, current when podid says
    /// that it is ready, and in progress or in deletion otherwise.
    pub(crate) fn assert_right(&self) {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let computed = compute(&seen);
        assert_eq!(computed.len(), seen.len());
        for (object, computed) in seen.iter().zip(&computed) {
            let expected = expected(object);
            assert_eq!(computed["status"], expected, "{computed}: {object}");
        }
        // Flux must never take for current what podid has not looked at.
        let is_new = |object: &&Value| object["status"]["observedGeneration"] == -1;
        assert!(
            seen.iter().any(|object| is_new(&object)),
            "no object was seen when it was new"
        );
    }
}

async fn client(lab: &Lab) -> Client {
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

/// Notes every version of every object of a kind.
async fn watch(client: Client, kind: &str, seen: Arc<Mutex<Vec<Value>>>) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("podid.dev", "v1alpha1", kind));
    let objects: Api<DynamicObject> = Api::all_with(client, &kind);
    let versions = watcher(objects, watcher::Config::default()).default_backoff();
    let mut versions = std::pin::pin!(versions.applied_objects());
    while let Some(version) = versions.next().await {
        // A watch that ends is begun again.
        let Ok(version) = version else { continue };
        let version = json!(version);
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(version);
    }
}

/// By podid's own conditions.
fn expected(object: &Value) -> &'static str {
    let metadata = &object["metadata"];
    let is_current = object["status"]["observedGeneration"] == metadata["generation"];
    let is = |kind: &str| condition(object, kind)["status"] == "True";
    if metadata["deletionTimestamp"].is_string() {
        "Terminating"
    } else if !is_current {
        "InProgress"
    } else if is("Stalled") {
        "Failed"
    } else if is("Ready") && !is("Reconciling") {
        "Current"
    } else {
        "InProgress"
    }
}

/// By the library that Flux uses.
fn compute(objects: &[Value]) -> Vec<Value> {
    let tools = tools::ensure(&[ToolGroup::Kstatus]).expect("kstatus");
    let mut program = Command::new(tools.bin("kstatus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    let text: String = objects.iter().map(|object| format!("{object}\n")).collect();
    // It answers while it reads: what is in the pipes must not be waited for by both.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    lines.collect::<Result<_, _>>().unwrap()
}
