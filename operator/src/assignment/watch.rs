//! What the API server tells, as plain values.
//!
//! Objects are reduced to what is decided on as they arrive, so that no copy of a whole object is
//! kept. One unreadable object is logged and counts as absent; it stalls no watch.

use std::collections::HashSet;
use std::fmt::Debug;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::binding::holds_identities;
use podid_core::binding::{AzureIdentity, Binding};
use podid_core::target::{ProviderIdError, Target};
use podid_crds::aadpodidentity::{
    self as kinds, AzureAssignedIdentity, AzureIdentityBinding, BINDING_LABEL,
};
use podid_crds::convert;
use serde::de::DeserializeOwned;

use super::ObjectKey;
use super::index::PlacedPod;
use super::objects::{self, SeenObject};

/// One fact; `None` when the object is gone or does not count.
#[derive(Debug)]
pub(super) enum Event {
    Pod(ObjectKey, Option<PlacedPod>),
    Node(String, Option<Result<Target, ProviderIdError>>),
    Identity(ObjectKey, Option<AzureIdentity>),
    Binding(ObjectKey, Option<Binding>),
    Assigned(ObjectKey, Option<SeenObject>),
    /// Everything of one kind that was there has been told.
    Synced(&'static str),
}

/// How many kinds [`all`] watches.
pub(super) const KINDS: usize = 5;

/// All watches; the stream does not end.
pub(super) fn all(client: &Client) -> SelectAll<BoxStream<'static, Event>> {
    let any = watcher::Config::default();
    let labelled = watcher::Config::default().labels(BINDING_LABEL);
    let ours = watcher::Config::default().labels(&objects::managed_by_us());
    stream::select_all([
        feed(Api::all(client.clone()), labelled, |key, pod| {
            Event::Pod(key, pod.and_then(placed))
        }),
        feed(Api::all(client.clone()), any.clone(), |key, node| {
            Event::Node(key.name, node.map(|node| machine_of(&node)))
        }),
        feed(Api::all(client.clone()), any.clone(), |key, object| {
            Event::Identity(key, object.and_then(identity))
        }),
        feed(Api::all(client.clone()), any, |key, object| {
            let binding = object.map(|object: AzureIdentityBinding| convert::binding(&object));
            Event::Binding(key, binding)
        }),
        feed(Api::all(client.clone()), ours, |key, object| {
            Event::Assigned(
                key,
                object.map(|object: AzureAssignedIdentity| objects::seen(&object)),
            )
        }),
    ])
}

fn feed<K>(
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    to_event: impl Fn(ObjectKey, Option<K>) -> Event + Send + 'static,
) -> BoxStream<'static, Event>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    deliveries(watcher(api, config).default_backoff())
        .map(move |delivery| match delivery {
            Delivery::Object(key, object) => to_event(key, object),
            Delivery::Synced => Event::Synced(std::any::type_name::<K>()),
        })
        .boxed()
}

#[derive(Debug, PartialEq)]
enum Delivery<K> {
    Object(ObjectKey, Option<K>),
    Synced,
}

/// Turns a watch into single facts; after a new listing also those about what has gone meanwhile.
fn deliveries<K>(
    watch: impl Stream<Item = watcher::Result<watcher::Event<DeserializeGuard<K>>>> + Send + 'static,
) -> impl Stream<Item = Delivery<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + 'static,
{
    watch
        .scan(Known::default(), |known, event| {
            let deliveries = match event {
                Ok(event) => known.take(event),
                Err(error) => {
                    let (kind, error) = (K::kind(&()), &error as &dyn std::error::Error);
                    tracing::warn!(%kind, error, "watch interrupted; trying again");
                    Vec::new()
                }
            };
            std::future::ready(Some(stream::iter(deliveries)))
        })
        .flatten()
}

/// Which objects have been told of, to tell what a new listing lacks.
#[derive(Default)]
struct Known {
    told: HashSet<ObjectKey>,
    listed: HashSet<ObjectKey>,
}

impl Known {
    fn take<K>(&mut self, event: watcher::Event<DeserializeGuard<K>>) -> Vec<Delivery<K>>
    where
        K: Resource<DynamicType = ()> + Clone,
    {
        match event {
            watcher::Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            watcher::Event::InitApply(object) => {
                let delivery = read(object);
                if let Delivery::Object(key, _) = &delivery {
                    self.listed.insert(key.clone());
                    // Told now: a listing that breaks off and begins anew may lack it.
                    self.told.insert(key.clone());
                }
                vec![delivery]
            }
            watcher::Event::InitDone => {
                let gone: Vec<_> = self.told.difference(&self.listed).cloned().collect();
                self.told = std::mem::take(&mut self.listed);
                let gone = gone.into_iter().map(|key| Delivery::Object(key, None));
                gone.chain([Delivery::Synced]).collect()
            }
            watcher::Event::Apply(object) => {
                let delivery = read(object);
                if let Delivery::Object(key, _) = &delivery {
                    self.told.insert(key.clone());
                }
                vec![delivery]
            }
            watcher::Event::Delete(object) => {
                let key = key_of(&object);
                self.told.remove(&key);
                vec![Delivery::Object(key, None)]
            }
        }
    }
}

fn read<K: Resource<DynamicType = ()> + Clone>(object: DeserializeGuard<K>) -> Delivery<K> {
    let key = key_of(&object);
    match object.0 {
        Ok(object) => Delivery::Object(key, Some(object)),
        Err(invalid) => {
            let kind = K::kind(&());
            tracing::warn!(%kind, object = %key, error = %invalid.error, "ignored: not readable");
            Delivery::Object(key, None)
        }
    }
}

fn key_of<K: Resource<DynamicType = ()>>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}

fn placed(pod: Pod) -> Option<PlacedPod> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let phase = status.and_then(|status| status.phase.as_deref());
    let node = spec.and_then(|spec| spec.node_name.as_deref());
    let placed = PlacedPod {
        node: node.unwrap_or_default().to_owned(),
        pod: convert::pod(&pod),
    };
    holds_identities(placed.pod.selector.as_deref(), node, phase).then_some(placed)
}

fn machine_of(node: &Node) -> Result<Target, ProviderIdError> {
    let provider_id = node
        .spec
        .as_ref()
        .and_then(|spec| spec.provider_id.as_deref());
    Target::from_provider_id(provider_id.unwrap_or_default())
}

fn identity(object: kinds::AzureIdentity) -> Option<AzureIdentity> {
    let identity = convert::identity(&object);
    if identity.is_none() {
        let (object, kind) = (key_of(&object), object.spec.kind());
        tracing::warn!(%object, kind, "AzureIdentity ignored: its type must be 0, 1 or 2");
    }
    identity
}

#[cfg(test)]
mod tests;
