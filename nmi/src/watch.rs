//! The watches on the API server: only this node's pods and assignments, the objects by which
//! identities are bound, and the classes, which limit service principals.

use std::convert::Infallible;

use futures::StreamExt;
use kube::runtime::watcher;
use podid_core::assigned_identity::AssignedIdentity;
use podid_core::names::label_value;
use podid_core::resolve::Exception;
use podid_core::service_principal::PrincipalLimit;
use podid_crds::aadpodidentity::{
    AzureAssignedIdentity, AzureIdentity, AzurePodIdentityException, NODE_LABEL,
};
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;
use podid_index::feed::{self, updates};
use podid_index::key_of;
use tokio::sync::mpsc;

use crate::api_clients::ApiClients;
use crate::pod_index::{IndexedAzureIdentity, ObjectUpdate, node_pod};

/// Follows all kinds and sends what changes, until the receiver is gone. A lost connection is
/// taken up again with growing pauses; meanwhile the last known state stands.
///
/// # Errors
/// None; the type is that of a task.
pub(crate) async fn follow(
    clients: ApiClients,
    node: String,
    sender: mpsc::Sender<ObjectUpdate>,
) -> Result<(), Infallible> {
    let any = watcher::Config::default;
    let on_node = any().fields(&format!("spec.nodeName={node}"));
    let of_node = any().labels(&format!("{NODE_LABEL}={}", label_value(&node)));
    let ApiClients { own, pods } = clients;
    let pods = updates(&pods, on_node, node_pod);
    let identities = updates(&own, any(), identity);
    let bindings = updates(&own, any(), feed::binding);
    let exceptions = updates(&own, any(), exception);
    let assigned = updates(&own, of_node, assigned);
    let classes = updates(&own, any(), principal_limit);
    let mut all = futures::stream::select_all([
        pods.map(ObjectUpdate::Pod).boxed(),
        identities.map(ObjectUpdate::Identity).boxed(),
        bindings.map(ObjectUpdate::Binding).boxed(),
        exceptions.map(ObjectUpdate::Exception).boxed(),
        assigned.map(ObjectUpdate::Assigned).boxed(),
        classes.map(ObjectUpdate::Class).boxed(),
    ]);
    while let Some(update) = all.next().await {
        if sender.send(update).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Reads an AzureIdentity and what it was before.
fn identity(object: &AzureIdentity) -> Option<IndexedAzureIdentity> {
    let former = convert::former_identities(object);
    Some(IndexedAzureIdentity {
        identity: feed::identity(object)?,
        former: former.into_values().collect(),
    })
}

/// Reads an AzureAssignedIdentity. One that is for no pod does not count, and neither does one that does not
/// name the managed identity it was written for, which is logged: no token may be issued by it.
fn assigned(object: &AzureAssignedIdentity) -> Option<AssignedIdentity> {
    let assigned = convert::assigned_identity(object).assigned?;
    if assigned.resource_id.is_none() {
        tracing::warn!(
            object = %key_of(object),
            field = "spec.azureIdentityRef.spec.resourceID",
            "AzureAssignedIdentity ignored: the field is missing; the operator writes the object again"
        );
        return None;
    }
    Some(assigned)
}

fn principal_limit(object: &PodIdentityClass) -> Option<PrincipalLimit> {
    convert::principal_limit(object)
}

fn exception(object: &AzurePodIdentityException) -> Option<Exception> {
    Some(convert::exception(object))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: &Value) -> Option<AssignedIdentity> {
        let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"});
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
            "metadata": {"name": "x", "namespace": "n", "ownerReferences": [owner]},
            "spec": {
                "azureIdentityRef": {"metadata": {"name": "i", "namespace": "n"}, "spec": spec},
                "nodename": "n1",
            },
            "status": {"status": "Assigned"},
        });
        assigned(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn an_assignment_that_names_no_managed_identity_is_not_believed() {
        assert!(read(&json!({"resourceID": "/id", "clientID": "c"})).is_some());
        for lacking in [
            json!({"clientID": "c"}),
            json!({"resourceID": 1}),
            json!(null),
        ] {
            assert_eq!(read(&lacking), None, "{lacking}");
        }
    }
}
