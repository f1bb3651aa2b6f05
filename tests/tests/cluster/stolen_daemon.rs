//! What somebody can do who has taken the token of a node daemon from its node: what the daemon does, for its own node,
//! and nothing else.

mod as_node;
mod attempts;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use kube::Config;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::fixture::{self, Space, eventually};
use attempts::{Attempt, OWN, list_pods};

const EVENTS: &str = "apis/events.k8s.io/v1";

/// A namespace of others, and the API server as a thief sees it.
struct Theft {
    space: Space,
    thief: Space,
    /// Node of the stolen token, and the pod whose token it is.
    node: String,
    pod: String,
}

impl Theft {
    /// Takes the token of a daemon's pod on one of the nodes.
    async fn commit() -> Self {
        Self::commit_in(fixture::config().await).await
    }

    /// The same in the cluster of a configuration.
    async fn commit_in(config: Config) -> Self {
        let space = Space::of(config.clone(), "stolen").await;
        let nodes: Api<Node> = Api::all(space.client.clone());
        let nodes = nodes.list(&ListParams::default().limit(1)).await.unwrap();
        let node = nodes.items[0].metadata.name.clone().expect("a name");
        let pods: Api<Pod> = Api::namespaced(space.client.clone(), OWN);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": space.name},
            "spec": {
                "serviceAccountName": "podid-nmi", "nodeName": node,
                "containers": [{"name": "nmi", "image": "x"}],
            },
        });
        let pod = serde_json::from_value(pod).unwrap();
        let pod = pods.create(&PostParams::default(), &pod).await.unwrap();
        let token = token(&space, Some(&pod)).await;
        let thief = space.bearing(config, token);
        attempts::furnish(&space).await;
        let pod = space.name.clone();
        Self {
            space,
            thief,
            node,
            pod,
        }
    }

    /// An Event as the daemon writes it, about a pod of the namespace.
    fn event(&self) -> Value {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"generateName": "e-"},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "podid-nmi", "reportingInstance": self.node,
            "type": "Warning", "reason": "TokenRefused", "action": "IssueToken", "note": "no",
            "regarding": {
                "apiVersion": "v1", "kind": "Pod", "namespace": self.space.name, "name": "shop",
                "uid": "7e4a4700-0000-4000-8000-000000000001",
            },
        })
    }

    /// The same Event with one field changed, or taken out.
    fn changed(&self, pointer: &str, value: Option<Value>) -> Value {
        let mut event = self.event();
        let (map, field) = pointer.rsplit_once('/').unwrap();
        let map = event.pointer_mut(map).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => map.insert(field.to_owned(), value),
            None => map.remove(field),
        };
        event
    }

    /// Events that no daemon writes, each with the field in which it differs.
    fn lies(&self) -> Vec<(String, Value)> {
        let node = json!({"apiVersion": "v1", "kind": "Node", "name": self.node, "uid": self.node});
        let class = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile", "name": "shop", "uid": "u",
            "namespace": self.space.name,
        });
        let lies = [
            ("/reportingInstance", Some(json!(format!("{}x", self.node)))),
            ("/reportingInstance", Some(json!(self.node.to_uppercase()))),
            ("/reportingController", Some(json!("kubelet"))),
            ("/reportingController", Some(json!("podid-operator"))),
            ("/regarding/kind", Some(json!("Deployment"))),
            ("/regarding/apiVersion", Some(json!("example.com/v1"))),
            ("/regarding/uid", None),
            ("/regarding", None),
            ("/regarding", Some(class)),
            ("/related", Some(node)),
        ];
        let lie = |(field, value): (&str, Option<Value>)| {
            let what = format!("{field} {value:?}");
            (what, self.changed(field, value))
        };
        lies.into_iter().map(lie).collect()
    }

    fn write(&self, what: &str, event: Value) -> Attempt {
        let path = format!("{EVENTS}/namespaces/{}/events", self.space.name);
        Attempt::new(what, "POST", path, Some(event))
    }

    async fn tidy_up(&self) {
        let pods: Api<Pod> = Api::namespaced(self.space.client.clone(), OWN);
        let now = DeleteParams::default().grace_period(0);
        pods.delete(&self.pod, &now).await.unwrap();
    }
}

/// A token of the daemon's service account, bound to a pod or to nothing.
async fn token(space: &Space, pod: Option<&Pod>) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(space.client.clone(), OWN);
    let bound = pod.map(|pod| BoundObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Pod".into()),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
    });
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            bound_object_ref: bound,
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request("podid-nmi", &PostParams::default(), &request)
        .await;
    let status = answer.unwrap().status.expect("an answer");
    status.token.expect("a token")
}

#[tokio::test]
async fn a_daemon_tells_of_pods_in_the_name_of_its_own_node_and_of_nothing_else() {
    let theft = Theft::commit().await;
    let other = json!("another-node");
    let instance = theft.changed("/reportingInstance", Some(other));
    let lie = theft.write("in the name of another node", instance);
    eventually("the policy", async || {
        lie.is_refused(&theft.thief).await.then_some(())
    })
    .await;
    let own = theft.write("its own", theft.event());
    assert_eq!(
        own.answer(&theft.thief).await.0,
        201,
        "the daemon writes what it has to tell"
    );

    for (what, lie) in theft.lies() {
        let (status, said) = theft.write(&what, lie).answer(&theft.thief).await;
        // Some the API server refuses by itself.
        assert!(matches!(status, 403 | 422), "{what}: {status} {said}");
    }
    theft.tidy_up().await;
}

/// Such as no kubelet gives a pod.
#[tokio::test]
async fn a_token_that_names_no_node_writes_no_event() {
    let theft = Theft::commit().await;
    let unbound = theft
        .space
        .with_token(token(&theft.space, None).await)
        .await;
    let own = theft.write("without a node", theft.event());
    let said = eventually("the policy", async || {
        let (status, said) = own.answer(&unbound).await;
        (status == 403).then_some(said)
    })
    .await;
    assert!(said.contains("with the token of its pod"), "{said}");
    theft.tidy_up().await;
}

#[tokio::test]
async fn with_a_stolen_token_nothing_succeeds_but_what_the_daemon_reads() {
    let theft = Theft::commit().await;
    let pods = [list_pods("")].into_iter();
    for read in pods.chain(attempts::daemons_own_reads()) {
        let (status, said) = read.answer(&theft.thief).await;
        assert_eq!(status, 200, "{read}: {said}");
    }
    let tried = attempts::all(&theft.space.name);
    let mut succeeded = Vec::new();
    for attempt in &tried {
        if !attempt.is_refused(&theft.thief).await {
            succeeded.push(attempt.to_string());
        }
    }
    assert_eq!(succeeded, [""; 0], "of {} attempts", tried.len());
    assert!(tried.len() > 100, "{}", tried.len());
    theft.tidy_up().await;
}
