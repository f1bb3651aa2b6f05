//! The watches on the API server: only this node's pods and assignments, and the objects by which
//! identities are bound.

use std::convert::Infallible;
use std::fmt::Debug;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::names::label_value;
use podid_crds::aadpodidentity::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException,
};
use podid_runtime::process;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::world::{
    Change, Key, Update, assignment_row, binding_row, exception_row, identity_row, pod_row,
};

/// Label of an AzureAssignedIdentity that names its node.
const NODE_LABEL: &str = "nodename";

/// Follows all kinds and sends what changes, until the receiver is gone. A lost connection is
/// taken up again with growing pauses; meanwhile the last known state stands.
///
/// # Errors
/// None; the type is that of a task.
pub(crate) async fn follow(
    client: Client,
    node: String,
    changes: mpsc::Sender<Change>,
) -> Result<(), Infallible> {
    let on_node = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let of_node =
        watcher::Config::default().labels(&format!("{NODE_LABEL}={}", label_value(&node)));
    let all = watcher::Config::default;
    let pods = updates::<Pod, _>(&client, on_node, pod_row).map(Change::Pod);
    let identities =
        updates::<AzureIdentity, _>(&client, all(), identity_row).map(Change::Identity);
    let bindings =
        updates::<AzureIdentityBinding, _>(&client, all(), binding_row).map(Change::Binding);
    let exceptions = updates::<AzurePodIdentityException, _>(&client, all(), exception_row)
        .map(Change::Exception);
    let assignments = updates::<AzureAssignedIdentity, _>(&client, of_node, assignment_row)
        .map(Change::Assignment);
    let mut all = futures::stream::select_all([
        pods.boxed(),
        identities.boxed(),
        bindings.boxed(),
        exceptions.boxed(),
        assignments.boxed(),
    ]);
    while let Some(change) = all.next().await {
        if changes.send(change).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The updates of one kind. Only the row made of an object is kept, not the object.
fn updates<K, V>(
    client: &Client,
    config: watcher::Config,
    row: fn(&K) -> Option<V>,
) -> impl Stream<Item = Update<V>> + Send + use<K, V>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
    V: Send + 'static,
{
    let api: Api<DeserializeGuard<K>> = Api::all(client.clone());
    watch(api, config)
        .default_backoff()
        .filter_map(move |event| async move {
            match event {
                Ok(event) => Some(update(event, row)),
                Err(error) => {
                    tracing::warn!(
                        kind = %K::kind(&()),
                        error = process::chain(&error),
                        "the watch is interrupted; trying again"
                    );
                    None
                }
            }
        })
}

fn update<K: Resource<DynamicType = ()> + Clone, V>(
    event: Event<DeserializeGuard<K>>,
    row: fn(&K) -> Option<V>,
) -> Update<V> {
    let keyed = |object: DeserializeGuard<K>| {
        let key = Key::new(&object.namespace().unwrap_or_default(), &object.name_any());
        let value = match &object.0 {
            Ok(object) => row(object),
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), object = ?key, %error, "not readable; ignored");
                None
            }
        };
        (key, value)
    };
    match event {
        Event::Apply(object) => Event::Apply(keyed(object)),
        Event::Delete(object) => Event::Delete(keyed(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(keyed(object)),
        Event::InitDone => Event::InitDone,
    }
}
