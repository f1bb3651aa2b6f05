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

use crate::key::Key;
use crate::world::{
    Change, Update, assignment_row, binding_row, exception_row, identity_row, pod_row,
};

/// Label of an AzureAssignedIdentity that names its node.
const NODE_LABEL: &str = "nodename";

/// Seconds after which the API server ends a watch, to be taken up again. A connection that has gone
/// dead without a word is given up five seconds later, so this bounds for how long nobody notices.
const WATCH_TIMEOUT: u32 = 45;

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
    let on_node = all().fields(&format!("spec.nodeName={node}"));
    let of_node = all().labels(&format!("{NODE_LABEL}={}", label_value(&node)));
    let pods = updates::<Pod, _>(&client, on_node, pod_row).map(Change::Pod);
    let identities =
        updates::<AzureIdentity, _>(&client, all(), identity_row).map(Change::Identity);
    let bindings =
        updates::<AzureIdentityBinding, _>(&client, all(), binding_row).map(Change::Binding);
    let exceptions = updates::<AzurePodIdentityException, _>(&client, all(), exception_row)
        .map(Change::Exception);
    let assignments = updates::<AzureAssignedIdentity, _>(&client, of_node, assignment_row)
        .map(Change::Assignment);
    let mut updates = futures::stream::select_all([
        pods.boxed(),
        identities.boxed(),
        bindings.boxed(),
        exceptions.boxed(),
        assignments.boxed(),
    ]);
    while let Some(change) = updates.next().await {
        if changes.send(change).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// All objects of a kind.
fn all() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_TIMEOUT)
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use http_body_util::{BodyExt, Full, StreamBody};
    use hyper::body::{Bytes, Frame};
    use hyper::{Request, Response};
    use kube::client::Body;

    use super::*;

    const EMPTY_LIST: &str = r#"{"apiVersion": "aadpodidentity.k8s.io/v1",
        "kind": "AzureIdentityList", "metadata": {"resourceVersion": "1"}, "items": []}"#;

    /// An API server without objects, whose watches never say anything and never end; with the
    /// number of watches it was asked for.
    fn silent_server() -> (Client, Arc<AtomicUsize>) {
        let watches = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&watches);
        let service = tower::service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default();
            let body = if query.contains("watch=true") {
                counter.fetch_add(1, Ordering::Relaxed);
                let silence = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
                StreamBody::new(silence).boxed_unsync()
            } else {
                Full::from(EMPTY_LIST).boxed_unsync()
            };
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        });
        (Client::new(service, "default"), watches)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_gone_dead_is_given_up_within_a_minute() {
        let (client, watches) = silent_server();
        let mut updates = pin!(updates::<AzureIdentity, _>(&client, all(), identity_row));
        let following = async { while updates.next().await.is_some() {} };
        let a_minute = tokio::time::timeout(Duration::from_secs(60), following).await;
        assert!(a_minute.is_err(), "the watch goes on");
        assert_eq!(watches.load(Ordering::Relaxed), 2);
    }
}
