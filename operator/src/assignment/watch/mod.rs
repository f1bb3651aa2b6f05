//! What the API server says, as plain values.

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::runtime::watcher;
use podid_core::binding::{AzureIdentity, Binding, holds_identities};
use podid_core::target::{ProviderIdError, Target};
use podid_crds::aadpodidentity::BINDING_LABEL;
use podid_crds::convert;
use podid_index::ObjectKey;
use podid_index::feed::{self, Update, updates};

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
    /// Every object of one kind that was there has been given.
    Listed(&'static str),
}

/// How many kinds [`all`] watches.
pub(super) const KINDS: usize = 5;

/// All watches; the stream does not end.
pub(super) fn all(client: &Client) -> SelectAll<BoxStream<'static, Event>> {
    let any = watcher::Config::default;
    let labelled = any().labels(BINDING_LABEL);
    let ours = any().labels(&objects::managed_by_us());
    let pods = updates(client, labelled, placed);
    let nodes = updates(client, any(), |node: &Node| Some(convert::target_of(node)));
    let identities = updates(client, any(), feed::identity);
    let bindings = updates(client, any(), feed::binding);
    let assigned = updates(client, ours, |object| Some(objects::seen(object)));
    stream::select_all([
        pods.map(|update| event("Pod", update, Event::Pod)).boxed(),
        nodes
            .map(|update| event("Node", update, |key, node| Event::Node(key.name, node)))
            .boxed(),
        identities
            .map(|update| event("AzureIdentity", update, Event::Identity))
            .boxed(),
        bindings
            .map(|update| event("AzureIdentityBinding", update, Event::Binding))
            .boxed(),
        assigned
            .map(|update| event("AzureAssignedIdentity", update, Event::Assigned))
            .boxed(),
    ])
}

fn event<V>(
    kind: &'static str,
    update: Update<V>,
    of_object: impl FnOnce(ObjectKey, Option<V>) -> Event,
) -> Event {
    match update {
        Update::Object(key, value) => of_object(key, value),
        Update::Listed => Event::Listed(kind),
    }
}

/// `None` for a pod that holds no identities.
fn placed(object: &Pod) -> Option<PlacedPod> {
    let caller = convert::calling_pod(object);
    let node = convert::node_name(object);
    let holds = holds_identities(caller.pod.selector.as_deref(), node, caller.completed);
    holds.then(|| PlacedPod {
        node: node.unwrap_or_default().to_owned(),
        pod: caller.pod,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_reduced_to_what_is_decided_on() {
        let pod = |status: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {
                    "name": "web-0", "namespace": "apps", "uid": "u",
                    "labels": { "aadpodidbinding": "web" },
                },
                "spec": { "nodeName": "n1", "serviceAccountName": "sa", "containers": [] },
                "status": { "phase": status },
            }))
            .unwrap()
        };
        let running = placed(&pod("Running")).expect("it holds identities");
        assert_eq!(
            (running.node.as_str(), running.pod.service_account.as_str()),
            ("n1", "sa")
        );
        assert_eq!(placed(&pod("Succeeded")), None);
    }
}
