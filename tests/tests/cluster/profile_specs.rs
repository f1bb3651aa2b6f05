//! What profiles ask for and classes allow is written by people, and never by podid.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{Space, eventually, refusal};

const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

/// A profile and a class, as kind and name.
async fn objects(space: &Space) -> [(&'static str, String); 2] {
    let profile = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "shop"}, "spec": {"className": "standard"},
    });
    let class = json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityClass",
        "metadata": {"name": space.name},
        "spec": {
            "clusterName": "prod", "tenantId": "7e4a4700-0000-4000-8000-000000000001",
            "subscriptionId": "5ab0c0de-0000-4000-8000-000000000001",
            "resourceGroup": "identities", "location": "westeurope", "nodeResourceGroup": "nodes",
        },
    });
    space
        .create("PodIdentityProfile", profile, false)
        .await
        .unwrap();
    space
        .create("PodIdentityClass", class, false)
        .await
        .unwrap();
    [
        ("PodIdentityProfile", "shop".to_owned()),
        ("PodIdentityClass", space.name.clone()),
    ]
}

async fn patch(space: &Space, kind: &str, name: &str, change: &Value) -> Result<(), kube::Error> {
    let parameters = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let api = space.api(kind);
    api.patch(name, &parameters, &Patch::Merge(change))
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_operator_changes_finalizers_and_status_and_nothing_else() {
    let space = Space::new("specs").await;
    let objects = objects(&space).await;
    let operator = space.as_user(OPERATOR).await;
    for (kind, name) in &objects {
        let spec = match *kind {
            "PodIdentityClass" => json!({"spec": {"limits": {"allowNetRaw": true}}}),
            _ => json!({"spec": {"className": "wider"}}),
        };
        if *kind == "PodIdentityClass" {
            // It has no right to, either.
            let refused = refusal(patch(&operator, kind, name, &spec).await.unwrap_err());
            assert!(refused.is_forbidden(), "{refused:?}");
            continue;
        }
        // A new cluster knows the policy some seconds after it is installed.
        let refused = async || patch(&operator, kind, name, &spec).await.err();
        let message = refusal(eventually("the policy", refused).await).message;
        assert!(
            message.contains("podid's operator changes nothing"),
            "{kind}: {message}"
        );
        for change in [
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"finalizers": ["example.com/ours"]}}),
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "x"}}}),
        ] {
            let refused = patch(&operator, kind, name, &change).await;
            assert!(refused.is_err(), "{kind}: {change}");
        }
        let finalizers = json!({"metadata": {"finalizers": ["podid.dev/cleanup"]}});
        patch(&operator, kind, name, &finalizers).await.unwrap();
        patch(&space, kind, name, &spec).await.unwrap();

        let status = json!({"status": {"observedGeneration": 1}});
        let parameters = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let api = operator.api(kind);
        let status = Patch::Merge(status);
        let written = api.patch_status(name, &parameters, &status);
        written.await.unwrap();
    }
    let class = space.api("PodIdentityClass");
    class
        .delete(&space.name, &Default::default())
        .await
        .unwrap();
}
