//! The AzureAssignedIdentities that exist, and their content.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use podid_core::assigned_identity::{AssignedIdentity, AssignmentState};
use podid_core::binding::Pod;
use podid_core::names;
use podid_crds::aadpodidentity::{
    AzureAssignedIdentity, AzureAssignedIdentitySpec, AzureAssignedIdentityStatus,
    EmbeddedMetadata, EmbeddedObject, NODE_LABEL, STATUS_ASSIGNED, STATUS_CREATED, STATUS_FAILED,
};
use podid_crds::convert;
use serde_json::{Value, json};

use podid_index::ObjectKey;

use crate::{FIELD_MANAGER, MANAGED_BY};

const POD_LABEL: &str = "podname";
const NAMESPACE_LABEL: &str = "podnamespace";

/// Selector of the objects that are ours; those of others are left alone.
pub(super) fn managed_by_us() -> String {
    format!("{MANAGED_BY}={FIELD_MANAGER}")
}

/// An AzureAssignedIdentity that was listed, watched or just written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExistingObject {
    /// The pod it belongs to; with an empty name if the object has none.
    pub(super) pod: ObjectKey,
    /// Its version, if versions can be compared here.
    version: Option<u64>,
    /// `None` when it is nothing that podid would write, so that it is written again.
    content: Option<AssignedIdentity>,
}

impl ExistingObject {
    /// The identity it is about, for people, and how far that has come.
    pub(super) fn progress(&self) -> Option<(String, AssignmentState)> {
        let content = self.content.as_ref()?;
        Some((
            format!("{}/{}", content.identity.0, content.identity.1),
            content.state.clone(),
        ))
    }
}

/// The content of the existing objects of a pod, by name; `None` for what podid would not write.
pub(super) type ExistingContents = BTreeMap<String, Option<AssignedIdentity>>;

/// The objects that are there, by pod.
#[derive(Debug, Default)]
pub(super) struct ExistingObjects {
    by_pod: HashMap<ObjectKey, BTreeMap<String, ExistingObject>>,
    pod_of: HashMap<ObjectKey, ObjectKey>,
}

impl ExistingObjects {
    /// Sets an object, unless a later version of it is known: podid's own writes are set
    /// before the watch delivers them.
    pub(super) fn set(&mut self, object: &ObjectKey, seen: ExistingObject) {
        if self
            .get(object)
            .is_some_and(|known| known.version > seen.version)
        {
            return;
        }
        self.remove(object);
        self.pod_of.insert(object.clone(), seen.pod.clone());
        self.by_pod
            .entry(seen.pod.clone())
            .or_default()
            .insert(object.name.clone(), seen);
    }

    /// Forgets an object; returns the pod that it belonged to, if the object was known.
    pub(super) fn remove(&mut self, object: &ObjectKey) -> Option<ObjectKey> {
        let pod = self.pod_of.remove(object)?;
        if let Some(objects) = self.by_pod.get_mut(&pod) {
            objects.remove(&object.name);
            if objects.is_empty() {
                self.by_pod.remove(&pod);
            }
        }
        Some(pod)
    }

    /// The content of the objects of a pod, by name.
    pub(super) fn of_pod(&self, pod: &ObjectKey) -> ExistingContents {
        let objects = self.by_pod.get(pod).into_iter().flatten();
        objects
            .map(|(name, seen)| (name.clone(), seen.content.clone()))
            .collect()
    }

    fn get(&self, object: &ObjectKey) -> Option<&ExistingObject> {
        self.by_pod.get(self.pod_of.get(object)?)?.get(&object.name)
    }
}

/// The object as it is applied.
pub(super) fn to_object(
    pod: &Pod,
    name: &str,
    content: &AssignedIdentity,
) -> AzureAssignedIdentity {
    let identity = json!({
        "type": 0,
        "resourceID": content.resource_id,
        "clientID": content.client_id,
    });
    let binding = json!({ "azureIdentity": content.identity.1, "selector": pod.selector });
    AzureAssignedIdentity {
        metadata: metadata(pod, name, content),
        spec: AzureAssignedIdentitySpec {
            azure_identity_ref: Some(embedded("AzureIdentity", &content.identity, identity)),
            azure_binding_ref: Some(embedded("AzureIdentityBinding", &content.binding, binding)),
            pod: Some(pod.name.clone()),
            pod_namespace: Some(pod.namespace.clone()),
            node_name: Some(content.node.clone()),
            replicas: None,
        },
        status: Some(status(&content.state)),
    }
}

fn metadata(pod: &Pod, name: &str, content: &AssignedIdentity) -> ObjectMeta {
    let labels = [
        (MANAGED_BY, FIELD_MANAGER.to_owned()),
        (NODE_LABEL, names::label_value(&content.node)),
        (POD_LABEL, names::label_value(&pod.name)),
        (NAMESPACE_LABEL, pod.namespace.clone()),
    ];
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: pod.name.clone(),
        uid: content.pod_uid.clone(),
        ..OwnerReference::default()
    };
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(pod.namespace.clone()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

fn status(state: &AssignmentState) -> AzureAssignedIdentityStatus {
    let (status, failure) = match state {
        AssignmentState::Created => (STATUS_CREATED, None),
        AssignmentState::Assigned => (STATUS_ASSIGNED, None),
        AssignmentState::Failed(failure) => (STATUS_FAILED, Some(failure)),
    };
    AzureAssignedIdentityStatus {
        status: Some(status.to_owned()),
        reason: failure.map(|failure| failure.reason.clone()),
        message: failure.map(|failure| failure.message.clone()),
        available_replicas: Some(1),
    }
}

fn embedded(kind: &str, (namespace, name): &(String, String), spec: Value) -> EmbeddedObject {
    EmbeddedObject {
        api_version: "aadpodidentity.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        metadata: EmbeddedMetadata {
            name: name.clone(),
            namespace: namespace.clone(),
        },
        spec,
    }
}

/// Reads an object that was listed, watched or just written.
pub(super) fn read_object(object: &AzureAssignedIdentity) -> ExistingObject {
    let read = convert::assigned_identity(object);
    ExistingObject {
        pod: ObjectKey::new(object.namespace().unwrap_or_default(), read.pod),
        version: object
            .resource_version()
            .and_then(|version| version.parse().ok()),
        content: read.assigned.filter(|_| read.complete),
    }
}

#[cfg(test)]
mod tests;
