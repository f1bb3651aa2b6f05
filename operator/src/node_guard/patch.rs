//! A change of a node, as a patch.

use k8s_openapi::api::core::v1::Taint;
use kube::ResourceExt;
use kube::core::DynamicObject;
use podid_core::node_guard::{NodeChange, READY_DAEMON_ANNOTATION, TAINT_KEY};
use serde_json::{Value, json};

/// A JSON merge patch (RFC 7386) for a node that looks like `node` now. It carries the version of the node, so
/// that the API server refuses it (409) if anybody has changed the node since: a merge patch replaces the
/// whole list of taints. The taints of others are taken over as they are, with fields that are not known here.
pub(super) fn merge_patch(node: &DynamicObject, change: &NodeChange) -> Value {
    let mut metadata = json!({ "resourceVersion": node.resource_version(), "uid": node.uid() });
    if let NodeChange::RemoveTaint(ready) | NodeChange::Record(ready) = change {
        metadata["annotations"] = json!({ READY_DAEMON_ANNOTATION: ready.to_string() });
    }
    let taints = node.data.pointer("/spec/taints").and_then(Value::as_array);
    let others = taints.into_iter().flatten();
    let others = others.filter(|taint| taint["key"] != TAINT_KEY).cloned();
    match change {
        NodeChange::Record(_) => json!({ "metadata": metadata }),
        NodeChange::RemoveTaint(_) => {
            json!({ "metadata": metadata, "spec": { "taints": Vec::from_iter(others) } })
        }
        NodeChange::AddTaint(_) => {
            let taints = Vec::from_iter(others.chain([json!(taint())]));
            json!({ "metadata": metadata, "spec": { "taints": taints } })
        }
    }
}

/// The taint that podid puts on. Pods that run already stay: they were placed while the rules were there, and
/// to evict them for an outage of a daemon would turn a small failure into a large one.
fn taint() -> Taint {
    Taint {
        key: TAINT_KEY.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    }
}

#[cfg(test)]
mod tests {
    use podid_core::node_guard::{ReadyDaemon, UnguardedReason};

    use super::*;

    fn node(taints: &[&str]) -> DynamicObject {
        let taints = taints.iter().map(|key| {
            json!({"key": key, "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z", "new": 1})
        });
        serde_json::from_value(json!({
            "metadata": {"name": "n1", "uid": "u", "resourceVersion": "7"},
            "spec": {"taints": Vec::from_iter(taints)},
        }))
        .unwrap()
    }

    fn keys(patch: &Value) -> Vec<&str> {
        let taints = patch["spec"]["taints"].as_array().unwrap().iter();
        taints.map(|taint| taint["key"].as_str().unwrap()).collect()
    }

    fn ready() -> ReadyDaemon {
        ReadyDaemon::parse("b c").unwrap()
    }

    #[test]
    fn the_taints_of_others_stay_word_for_word() {
        let with = |taints: &[&str], change| merge_patch(&node(taints), &change);
        let add = || NodeChange::AddTaint(UnguardedReason::NeverReady);
        let removed = with(
            &["a", TAINT_KEY, "b", TAINT_KEY],
            NodeChange::RemoveTaint(ready()),
        );
        assert_eq!(keys(&removed), ["a", "b"]);
        let first = node(&["a"]).data["spec"]["taints"][0].clone();
        assert_eq!(removed["spec"]["taints"][0], first);
        assert_eq!(keys(&with(&["a"], add())), ["a", TAINT_KEY]);
        assert_eq!(keys(&with(&[], add())), [TAINT_KEY]);
        let none: DynamicObject = serde_json::from_value(json!({"metadata": {}})).unwrap();
        assert_eq!(keys(&merge_patch(&none, &add())), [TAINT_KEY]);
    }

    #[test]
    fn a_patch_is_for_the_node_as_it_was_read() {
        for change in [
            NodeChange::AddTaint(UnguardedReason::Restarted),
            NodeChange::RemoveTaint(ready()),
            NodeChange::Record(ready()),
        ] {
            let patch = merge_patch(&node(&[]), &change);
            assert_eq!(patch["metadata"]["resourceVersion"], "7", "{change:?}");
            let writes = !matches!(change, NodeChange::AddTaint(_));
            let written = &patch["metadata"]["annotations"][READY_DAEMON_ANNOTATION];
            assert_eq!(*written == "b c", writes, "{change:?}");
            let touches_taints = !matches!(change, NodeChange::Record(_));
            assert_eq!(patch.get("spec").is_some(), touches_taints, "{change:?}");
        }
    }
}
