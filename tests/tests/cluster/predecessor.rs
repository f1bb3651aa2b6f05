//! Objects written for Azure/aad-pod-identity, which must stay readable.

use podid_crds::aadpodidentity::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException,
};
use serde_json::{Value, json};

use crate::fixture::Space;

const ID: &str = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";
const GUID: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";

async fn stored<T: serde::de::DeserializeOwned>(space: &Space, kind: &str, rest: Value) -> T {
    let mut object = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "metadata": {"name": "old"},
    });
    for (field, value) in rest.as_object().unwrap() {
        object[field] = value.clone();
    }
    let made = space.create(kind, object, false).await.unwrap();
    serde_json::from_value(made).unwrap()
}

#[tokio::test]
async fn the_capitals_of_early_releases_survive_pruning_and_are_read() {
    let space = Space::new("capitals").await;
    let spec = json!({"spec": {
        "type": 0, "ResourceID": ID, "ClientID": GUID, "TenantID": GUID,
        "ClientPassword": {"name": "s", "namespace": "n"},
    }});
    let identity: AzureIdentity = stored(&space, "AzureIdentity", spec).await;
    assert_eq!(
        (identity.spec.resource_id(), identity.spec.client_id()),
        (ID, GUID)
    );
    assert_eq!(
        identity.spec.old_client_password.unwrap().name.as_deref(),
        Some("s")
    );

    let spec = json!({"spec": {"AzureIdentity": "old", "Selector": "web"}});
    let binding: AzureIdentityBinding = stored(&space, "AzureIdentityBinding", spec).await;
    assert_eq!(
        (binding.spec.azure_identity(), binding.spec.selector()),
        ("old", "web")
    );

    let spec = json!({"spec": {"PodLabels": {"app": "mic"}}});
    let exception: AzurePodIdentityException =
        stored(&space, "AzurePodIdentityException", spec).await;
    assert_eq!(exception.spec.pod_labels()["app"], "mic");
}

#[tokio::test]
async fn the_new_spelling_wins_over_the_old() {
    let space = Space::new("spelling").await;
    let spec = json!({"spec": {
        "azureIdentity": "new", "AzureIdentity": "old", "selector": "new", "Selector": "old",
    }});
    let binding: AzureIdentityBinding = stored(&space, "AzureIdentityBinding", spec).await;
    assert_eq!(
        (binding.spec.azure_identity(), binding.spec.selector()),
        ("new", "new")
    );
}

#[tokio::test]
async fn spec_and_status_are_written_together_as_the_predecessor_did() {
    let space = Space::new("assigned").await;
    let copy = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "spec": spec,
            "metadata": {"name": "n", "namespace": "default", "resourceVersion": "7"},
        })
    };
    let whole = json!({
        "spec": {
            "azureIdentityRef": copy("AzureIdentity", json!({"type": 0, "clientID": GUID})),
            "azureBindingRef": copy("AzureIdentityBinding", json!({"selector": "web"})),
            "pod": "web-0", "podNamespace": "shop", "nodename": "node-1", "replicas": 1,
        },
        "status": {"status": "Created", "availableReplicas": 1},
    });
    let assigned: AzureAssignedIdentity = stored(&space, "AzureAssignedIdentity", whole).await;
    assert_eq!(assigned.status.unwrap().status.as_deref(), Some("Created"));
    let identity = assigned.spec.azure_identity_ref.unwrap();
    assert_eq!(
        (identity.metadata.name.as_str(), &identity.spec["clientID"]),
        ("n", &json!(GUID))
    );
}
