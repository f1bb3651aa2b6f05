use kube::ResourceExt;
use podid_core::arm::ArmId;
use podid_core::assigned_identity::{AssignedIdentity, AssignmentFailure, AssignmentState};

use crate::aadpodidentity::{
    AzureAssignedIdentity, AzureAssignedIdentityStatus, EmbeddedMetadata, EmbeddedObject,
    STATUS_ASSIGNED, STATUS_CREATED, STATUS_FAILED,
};

/// An AzureAssignedIdentity as both daemons read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAssignedIdentity {
    /// Name of the pod that owns it, in the object's namespace; empty when none does.
    pub pod: String,
    /// What it says; `None` when it is for nobody, because no pod owns it or it names no AzureIdentity.
    pub assigned: Option<AssignedIdentity>,
    /// Whether it says everything that podid writes, and nothing in other words. The operator writes
    /// it again if not; the node daemon serves by it nevertheless, if it names the managed identity.
    pub complete: bool,
}

/// Reads an AzureAssignedIdentity that was listed, watched or just written.
#[must_use]
pub fn assigned_identity(object: &AzureAssignedIdentity) -> ReadAssignedIdentity {
    // The owner, not the spec: it is what ties the object's life to the pod's.
    let mut owners = object.owner_references().iter();
    let owner = owners.find(|owner| owner.kind == "Pod");
    let spec = &object.spec;
    let identity = spec.azure_identity_ref.as_ref();
    let binding = spec.azure_binding_ref.as_ref();
    let (resource_id, client_id) = (text(identity, "resourceID"), text(identity, "clientID"));
    let (state, known_words) = state(object.status.as_ref());
    let complete = known_words
        && binding.is_some()
        && spec.node_name.is_some()
        && resource_id.is_some()
        && client_id.is_some();
    let assigned = owner
        .zip(identity)
        .map(|(owner, identity)| AssignedIdentity {
            pod_uid: owner.uid.clone(),
            node: spec.node_name.clone().unwrap_or_default(),
            identity: names(&identity.metadata),
            resource_id: resource_id.map(ArmId::new),
            client_id: client_id.unwrap_or_default().to_owned(),
            binding: binding
                .map(|binding| names(&binding.metadata))
                .unwrap_or_default(),
            state,
        });
    ReadAssignedIdentity {
        pod: owner.map(|owner| owner.name.clone()).unwrap_or_default(),
        assigned,
        complete,
    }
}

/// The state, and whether podid would write it so. A word of the predecessor's (`Unassigned`) or of
/// nobody's opens nothing: the identity then counts as on its way.
fn state(status: Option<&AzureAssignedIdentityStatus>) -> (AssignmentState, bool) {
    let word = status.and_then(|status| status.status.as_deref());
    match (word, status) {
        (Some(STATUS_CREATED), _) => (AssignmentState::Created, true),
        (Some(STATUS_ASSIGNED), _) => (AssignmentState::Assigned, true),
        (Some(STATUS_FAILED), Some(status)) => {
            let failure = AssignmentFailure {
                reason: status.reason.clone().unwrap_or_default(),
                message: status.message.clone().unwrap_or_default(),
            };
            let explained = status.reason.is_some() && status.message.is_some();
            (AssignmentState::Failed(failure), explained)
        }
        _ => (AssignmentState::Created, false),
    }
}

fn text<'a>(object: Option<&'a EmbeddedObject>, field: &str) -> Option<&'a str> {
    object?.spec.get(field)?.as_str()
}

fn names(metadata: &EmbeddedMetadata) -> (String, String) {
    (metadata.namespace.clone(), metadata.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(owners: &Value, status: &Value) -> AzureAssignedIdentity {
        serde_json::from_value(json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
            "metadata": {"name": "x", "namespace": "n", "ownerReferences": owners},
            "spec": {
                "azureIdentityRef": {
                    "metadata": {"name": "i", "namespace": "n"},
                    "spec": {"resourceID": "/id", "clientID": "c"},
                },
                "azureBindingRef": {"metadata": {"name": "b", "namespace": "n"}},
                "nodename": "n1",
            },
            "status": status,
        }))
        .unwrap()
    }

    fn owned(status: &Value) -> AzureAssignedIdentity {
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]);
        object(&owner, status)
    }

    #[test]
    fn an_assignment_is_for_the_pod_that_owns_it() {
        let read = assigned_identity(&owned(&json!({"status": "Assigned"})));
        assert!(read.complete);
        let assigned = read.assigned.unwrap();
        assert_eq!(
            (assigned.pod_uid.as_str(), assigned.state),
            ("u", AssignmentState::Assigned)
        );
        assert_eq!(assigned.resource_id, Some(ArmId::new("/id")));
        let read = assigned_identity(&object(&json!([]), &json!({"status": "Assigned"})));
        assert_eq!((read.pod.as_str(), read.assigned), ("", None));
    }

    #[test]
    fn other_words_than_ours_open_nothing_and_are_written_again() {
        for status in [
            json!({"status": "Unassigned"}),
            json!({"status": "assigned"}),
            json!({}),
            json!(null),
        ] {
            let read = assigned_identity(&owned(&status));
            let state = read.assigned.map(|assigned| assigned.state);
            assert_eq!(state, Some(AssignmentState::Created), "{status}");
            assert!(!read.complete, "{status}");
        }
        let unexplained = assigned_identity(&owned(&json!({"status": "Failed"})));
        assert!(!unexplained.complete);
        let state = unexplained.assigned.map(|assigned| assigned.state);
        assert!(matches!(state, Some(AssignmentState::Failed(_))));
    }

    #[test]
    fn an_object_that_lacks_what_podid_writes_is_read_and_written_again() {
        let lacking = |lack: fn(&mut AzureAssignedIdentity)| {
            let mut object = owned(&json!({"status": "Assigned"}));
            lack(&mut object);
            assigned_identity(&object)
        };
        let all: [fn(&mut AzureAssignedIdentity); 3] = [
            |object| object.spec.node_name = None,
            |object| object.spec.azure_binding_ref = None,
            |object| {
                object.spec.azure_identity_ref.as_mut().unwrap().spec = Value::Null;
            },
        ];
        for lack in all {
            let read = lacking(lack);
            let state = read.assigned.as_ref().map(|assigned| &assigned.state);
            assert_eq!(state, Some(&AssignmentState::Assigned), "{read:?}");
            assert!(!read.complete, "{read:?}");
        }
        let read = lacking(|object| object.spec.azure_identity_ref = None);
        assert_eq!((read.assigned, read.complete), (None, false));
    }
}
