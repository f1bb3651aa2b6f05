//! What a kubelet writes to the API server about a pod.

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::node::{FIELD_MANAGER, Node};
use super::status::covers;

/// Most characters of an Event's text; the API server's limit is 1024 bytes.
const NOTE: usize = 250;

/// Writes a pod's status, unless the newest version of the pod says all of it already.
pub(super) async fn write_status(
    node: &Node,
    pod: &Pod,
    uid: &str,
    status: &PodStatus,
) -> Result<(), kube::Error> {
    let desired = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
    let actual = serde_json::to_value(&pod.status).map_err(kube::Error::SerdeError)?;
    if covers(&actual, &desired) {
        return Ok(());
    }
    let name = pod.name_any();
    let body = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        // With the uid, a pod of the same name made meanwhile is answered with a conflict.
        "metadata": {"name": name, "uid": uid},
        "status": desired,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    unless_gone(
        api(node, pod)
            .patch_status(&name, &params, &Patch::Apply(&body))
            .await,
    )
}

/// Deletes the pod from the API server, as nothing of it is left on its node. Finalizers may still
/// keep the object; a pod of the same name is not touched.
pub(super) async fn delete(node: &Node, pod: &Pod, uid: &str) -> Result<(), kube::Error> {
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    unless_gone(api(node, pod).delete(&pod.name_any(), &params).await)
}

/// Publishes an Event about a pod. One that is refused is only logged: nothing depends on it.
pub(super) async fn publish(node: &Node, pod: &Pod, kind: EventType, reason: &str, note: String) {
    let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    tracing::info!(pod = name, reason, note);
    let event = Event {
        type_: kind,
        reason: reason.to_owned(),
        note: Some(note.chars().take(NOTE).collect()),
        action: "RunPod".to_owned(),
        secondary: None,
    };
    if let Err(error) = node.events.publish(&event, &pod.object_ref(&())).await {
        tracing::warn!(
            pod = name,
            error = &error as &dyn std::error::Error,
            "event lost"
        );
    }
}

fn api(node: &Node, pod: &Pod) -> Api<Pod> {
    let namespace = pod.namespace().unwrap_or_default();
    Api::namespaced(node.context.client.clone(), &namespace)
}

/// A pod that is gone, or whose name another pod has now, needs no writing: the watch will show it.
fn unless_gone<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
        other => other.map(drop),
    }
}
