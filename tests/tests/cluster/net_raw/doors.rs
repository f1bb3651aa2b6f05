//! Writes that bring the label to a pod, and are no writes of the pod's own metadata.

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};

use super::{keeps, pod, space};
use crate::fixture::{Space, refusal};

/// A pod that no label binds, and that keeps NET_RAW.
async fn unbound() -> Space {
    let space = space().await;
    let mut pod = pod("plain", "shop", &keeps());
    pod["metadata"]["labels"] = json!({"app": "plain"});
    // Nobody places it.
    pod["spec"]["nodeSelector"] = json!({"none": "such"});
    space.create("Pod", pod, false).await.unwrap();
    space
}

async fn labels(space: &Space) -> Value {
    let pod = space.api("Pod").get("plain").await.unwrap();
    json!(pod.metadata.labels)
}

#[tokio::test]
async fn a_write_to_the_status_binds_no_pod() {
    let space = unbound().await;
    let write = async |labels: Value| {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let pods = space.api("Pod");
        pods.patch_status("plain", &PatchParams::default(), &patch)
            .await
    };
    let message = refusal(write(json!({"aadpodidbinding": "shop"})).await.unwrap_err()).message;
    for words in ["pod plain", "aadpodidbinding", "not with its status"] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    // The API server takes any other label by this way.
    write(json!({"other": "label"})).await.unwrap();
    assert_eq!(
        labels(&space).await,
        json!({"app": "plain", "other": "label"})
    );
}

#[tokio::test]
async fn a_write_to_the_status_of_a_bound_pod_is_taken() {
    let space = space().await;
    let clean = pod("web", "shop", &super::drops("ALL"));
    space.create("Pod", clean, false).await.unwrap();
    let status = Patch::Merge(json!({"status": {"message": "x"}}));
    let (pods, parameters) = (space.api("Pod"), PatchParams::default());
    let written = pods.patch_status("web", &parameters, &status);
    written.await.unwrap();
    let other = Patch::Merge(json!({"metadata": {"labels": {"aadpodidbinding": "off"}}}));
    let written = pods.patch_status("web", &parameters, &other);
    refusal(written.await.unwrap_err());
}

/// Places the pod on a node by a Binding with these labels.
async fn place(space: &Space, path: &str, labels: Value) -> kube::Result<Value> {
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": "plain", "labels": labels},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node-0"},
    });
    let path = format!("/api/v1/namespaces/{}/{path}", space.name);
    let body = serde_json::to_vec(&binding).unwrap();
    let request = Request::new(path).create(&PostParams::default(), body);
    space.client.request(request.unwrap()).await
}

#[tokio::test]
async fn a_placement_binds_no_pod() {
    let space = unbound().await;
    for path in ["pods/plain/binding", "bindings"] {
        let refused = place(&space, path, json!({"aadpodidbinding": "shop"})).await;
        let message = refusal(refused.unwrap_err()).message;
        for words in ["pod plain", "not with its placement"] {
            assert!(
                message.contains(words),
                "{path}: {words:?} is not in: {message}"
            );
        }
    }
    place(&space, "pods/plain/binding", json!({}))
        .await
        .unwrap();
    assert_eq!(labels(&space).await, json!({"app": "plain"}));
}

#[tokio::test]
async fn other_labels_of_a_placement_are_copied() {
    let space = unbound().await;
    place(&space, "pods/plain/binding", json!({"zone": "1"}))
        .await
        .unwrap();
    assert_eq!(labels(&space).await, json!({"app": "plain", "zone": "1"}));
}

/// What this subresource may change of a pod are the resources of its containers.
#[tokio::test]
async fn a_resize_binds_no_pod() {
    let space = space().await;
    let mut plain = pod("plain", "shop", &keeps());
    plain["metadata"]["labels"] = json!({"app": "plain"});
    plain["spec"]["nodeSelector"] = json!({"none": "such"});
    let resources = |cpu: &str| json!({"requests": {"cpu": cpu}});
    plain["spec"]["containers"][0]["resources"] = resources("100m");
    space.create("Pod", plain, false).await.unwrap();
    let patch = Patch::Strategic(json!({
        "metadata": {"labels": {"aadpodidbinding": "shop"}},
        "spec": {"containers": [{"name": "app", "resources": resources("200m")}]},
    }));
    let (pods, parameters) = (space.api("Pod"), PatchParams::default());
    let written = pods.patch_subresource("resize", "plain", &parameters, &patch);
    let container = &written.await.unwrap().data["spec"]["containers"][0];
    assert_eq!(container["resources"], resources("200m"));
    assert_eq!(labels(&space).await, json!({"app": "plain"}));
}
