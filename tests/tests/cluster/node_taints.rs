//! The operator changes its own taint and annotation of a node, and nothing else.

use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{Space, eventually, refusal};

const KIND: &str = "Node";
const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

/// Asks whether a node could be patched; the API server's words when it refuses.
async fn may_patch(space: &Space, node: &str, patch: &Value) -> Result<(), String> {
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    space
        .api(KIND)
        .patch(node, &params, &Patch::Merge(patch))
        .await
        .map(drop)
        .map_err(|error| refusal(error).message)
}

#[tokio::test]
async fn the_right_to_patch_nodes_is_for_one_taint_and_one_annotation() {
    let space = Space::new("taints").await;
    let nodes = space.api(KIND).list(&ListParams::default()).await.unwrap();
    let node = nodes.items.first().expect("a node").clone();
    let name = node.metadata.name.clone().unwrap();
    let operator = space.as_user(OPERATOR).await;
    let taints = node.data.pointer("/spec/taints").and_then(Value::as_array);
    let with = |taint: Value| Vec::from_iter(taints.into_iter().flatten().cloned().chain([taint]));

    let foreign = with(json!({"key": "example.com/x", "effect": "NoSchedule"}));
    let evicting = with(json!({"key": "podid.dev/not-ready", "effect": "NoExecute"}));
    let others = [
        json!({"spec": {"taints": foreign}}),
        json!({"spec": {"taints": evicting}}),
        json!({"spec": {"unschedulable": true}}),
        json!({"metadata": {"labels": {"pool": "mine"}}}),
        json!({"metadata": {"annotations": {"example.com/x": "y"}}}),
        json!({"metadata": {"finalizers": ["example.com/x"]}}),
    ];
    // A new cluster knows the policy some seconds after it is installed.
    let holds = async || may_patch(&operator, &name, &others[0]).await.err();
    eventually("the policy", holds).await;
    for patch in &others {
        let refused = may_patch(&operator, &name, patch).await;
        let message = refused.expect_err(&patch.to_string());
        assert!(message.contains("podid's operator changes no"), "{message}");
        may_patch(&space, &name, patch)
            .await
            .expect("the administrator may");
    }

    let own = with(json!({"key": "podid.dev/not-ready", "effect": "NoSchedule"}));
    let annotations = json!({"podid.dev/ready-daemon": "b c"});
    let patch = json!({"metadata": {"annotations": annotations}, "spec": {"taints": own}});
    may_patch(&operator, &name, &patch).await.expect("its own");
}
