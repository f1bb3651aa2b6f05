//! The controller against an API server with one node, which writes down what it is asked.

use std::sync::Mutex;
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::runtime::controller::Action;
use podid_core::node_guard::{NodeTaintSettings, TAINT_KEY};
use podid_index::ObjectKey;
use podid_index::events::EventQueue;
use podid_index::watch::WatchFact;
use serde_json::{Value, json};

use super::reconcile::{NodeError, after_error, reconcile};
use super::*;
use crate::leader::Leadership;

#[derive(Default)]
struct Server {
    node: Value,
    patches: usize,
    refuses: bool,
}

struct Fixture {
    server: Arc<Mutex<Server>>,
    context: Arc<NodeGuardContext>,
    events: EventQueue,
}

impl Fixture {
    /// A node `n1` with the taint and another one, where a daemon is to run.
    fn new(leads: bool) -> Self {
        let server = Arc::new(Mutex::new(Server {
            node: json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "n1", "uid": "u", "resourceVersion": "1"},
                "spec": {"taints": [
                    {"key": "others", "effect": "NoExecute"}, {"key": TAINT_KEY, "effect": "NoSchedule"},
                ]},
                "status": {"nodeInfo": {
                    "bootID": "b1", "architecture": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "",
                    "osImage": "", "systemUUID": "",
                }},
            }),
            ..Server::default()
        }));
        let (writer, events) = podid_index::events::channel(8);
        let (_, leadership) = Leadership::fixed(leads);
        let registry = &mut prometheus_client::registry::Registry::default();
        let context = NodeGuardContext {
            client: api_server(Arc::clone(&server)),
            leadership,
            events: writer,
            metrics: NodeGuardMetrics::register(registry),
            namespace: "podid-system".to_owned(),
            settings: NodeTaintSettings {
                puts_on: true,
                delay: Duration::from_secs(60),
            },
            daemons: Daemons::default(),
            changed: Arc::default(),
        };
        let set = json!({"metadata": {}, "spec": {"selector": {}, "template": {}}});
        let set = WatchFact::Present(key(), serde_json::from_value(set).unwrap());
        context.daemons.daemon_set(set);
        context.daemons.daemon_set(WatchFact::Listed);
        context.daemons.pod(WatchFact::Listed);
        Self {
            server,
            context: Arc::new(context),
            events,
        }
    }

    fn daemon(&self, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let pod = json!({
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        });
        let pod = serde_json::from_value(pod).unwrap();
        self.context.daemons.pod(WatchFact::Present(key(), pod));
    }

    fn node(&self) -> Node {
        serde_json::from_value(self.server.lock().unwrap().node.clone()).unwrap()
    }

    async fn reconcile(&self) -> Result<Action, NodeError> {
        reconcile(Arc::new(self.node()), Arc::clone(&self.context)).await
    }

    fn taints(&self) -> Vec<String> {
        let taints = self.node().spec.unwrap().taints.unwrap();
        taints.into_iter().map(|taint| taint.key).collect()
    }

    fn patches(&self) -> usize {
        self.server.lock().unwrap().patches
    }

    fn reasons(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.events.try_next());
        events.map(|(event, _)| event.reason).collect()
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("podid-system", "podid-nmi")
}

fn api_server(server: Arc<Mutex<Server>>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = Arc::clone(&server);
        async move {
            assert_eq!(request.uri().path(), "/api/v1/nodes/n1");
            let is_patch = request.method() == http::Method::PATCH;
            let body = request.into_body().collect_bytes().await.expect("a body");
            let mut server = server.lock().unwrap();
            if is_patch && server.refuses {
                let conflict = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "the object has been modified", "reason": "Conflict", "code": 409,
                });
                let answer = Response::builder().status(409);
                let answer = answer.body(Body::from(conflict.to_string().into_bytes()));
                return Ok(answer.expect("an answer"));
            }
            if is_patch {
                let patch: Value = serde_json::from_slice(&body).expect("JSON");
                server.patches += 1;
                if let Some(taints) = patch.pointer("/spec/taints") {
                    server.node["spec"]["taints"] = taints.clone();
                }
                server.node["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
            }
            let body = Body::from(server.node.to_string().into_bytes());
            Ok::<_, std::convert::Infallible>(Response::new(body))
        }
    });
    Client::new(service, "ns")
}

#[tokio::test(start_paused = true)]
async fn the_taint_goes_when_the_daemon_is_ready_and_comes_back_when_it_is_gone() {
    let mut fixture = Fixture::new(true);
    fixture.daemon(false);
    fixture.reconcile().await.unwrap();
    assert_eq!(fixture.patches(), 0, "the daemon is not ready yet");
    fixture.daemon(true);
    fixture.reconcile().await.unwrap();
    assert_eq!(fixture.taints(), ["others"]);
    fixture.reconcile().await.unwrap();
    assert_eq!(
        (fixture.patches(), fixture.reasons()),
        (1, vec!["NodeGuarded".to_owned()])
    );

    fixture.daemon(false);
    let action = fixture.reconcile().await.unwrap();
    assert_eq!(action, Action::requeue(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_secs(60)).await;
    fixture.reconcile().await.unwrap();
    assert_eq!(fixture.taints(), ["others", TAINT_KEY]);
    assert_eq!(fixture.reasons(), ["NodeUnguarded"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_somebody_else_changes_is_read_again() {
    let mut fixture = Fixture::new(true);
    fixture.daemon(true);
    fixture.server.lock().unwrap().refuses = true;
    let error = fixture.reconcile().await.unwrap_err();
    assert!(error.to_string().contains("n1"), "{error}");
    let action = after_error(
        Arc::new(fixture.node()),
        &error,
        Arc::clone(&fixture.context),
    );
    assert_eq!(action, Action::requeue(Duration::from_secs(1)));
    assert_eq!(fixture.reasons(), [""; 0], "nothing was done");
    fixture.server.lock().unwrap().refuses = false;
    fixture.reconcile().await.unwrap();
    assert_eq!(fixture.taints(), ["others"]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_lead_changes_nothing() {
    let fixture = Fixture::new(false);
    fixture.daemon(true);
    fixture.reconcile().await.unwrap();
    assert_eq!(fixture.patches(), 0);
}
