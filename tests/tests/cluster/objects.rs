//! Objects in a namespace that only one test uses.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fixture::{eventually, new_namespace};

/// The objects of a namespace.
pub(crate) struct Objects {
    client: Client,
    pub(crate) namespace: String,
}

impl Objects {
    /// Those of a new namespace whose name begins with `purpose`: none yet.
    pub(crate) async fn in_new_namespace(client: &Client, purpose: &str) -> Self {
        Self {
            client: client.clone(),
            namespace: new_namespace(client, purpose).await,
        }
    }

    /// Those of the namespace that holds the Events about objects without one.
    pub(crate) fn in_default(client: &Client) -> Self {
        Self {
            client: client.clone(),
            namespace: "default".to_owned(),
        }
    }

    /// Those of one kind.
    pub(crate) fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn list<K: Kind>(&self) -> Vec<K> {
        let list = self.api().list(&ListParams::default()).await;
        list.unwrap().items
    }

    /// Creates an object, which is admitted or refused.
    pub(crate) async fn try_create<K: Kind>(&self, object: Value) -> kube::Result<K> {
        let object: K = serde_json::from_value(object).expect("an object");
        self.api().create(&PostParams::default(), &object).await
    }

    /// Creates an object, which has to be admitted.
    pub(crate) async fn create<K: Kind>(&self, object: Value) {
        self.try_create::<K>(object).await.unwrap();
    }

    /// Asks for the deletion of an object.
    pub(crate) async fn delete_object<K: Kind>(&self, name: &str) {
        let deleted = self.api::<K>().delete(name, &DeleteParams::default()).await;
        deleted.unwrap();
    }

    /// Asks for the deletion of a pod.
    pub(crate) async fn delete_pod(&self, name: &str) {
        self.delete_object::<Pod>(name).await;
    }

    /// Events about an object, as `reason: note`.
    pub(crate) async fn events(&self, object: &str) -> Vec<String> {
        let events = self.list::<Event>().await.into_iter();
        let about = |event: &Event| event.regarding.as_ref()?.name.clone();
        events
            .filter(|event| about(event).as_deref() == Some(object))
            .map(|event| {
                let (reason, note) = (event.reason, event.note);
                let (reason, note) = (reason.unwrap_or_default(), note.unwrap_or_default());
                format!("{reason}: {note}")
            })
            .collect()
    }

    /// Looks until there is an Event of this reason about an object; returns it as `reason: note`.
    pub(crate) async fn until_event(&self, object: &str, reason: &str) -> String {
        let start = format!("{reason}: ");
        eventually(&format!("Event {reason} of {object}"), async || {
            let events = self.events(object).await;
            events.into_iter().find(|event| event.starts_with(&start))
        })
        .await
    }
}

/// A kind with namespaces.
pub(crate) trait Kind:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Kind for K where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned
{
}
