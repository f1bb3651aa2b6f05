//! Watches pods, nodes, bindings, AzureIdentities and AzureAssignedIdentities, and applies each change to
//! the index.

use futures::StreamExt;
use futures::stream::{self, BoxStream, SelectAll};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::runtime::watcher;
use podid_core::binding::{AzureIdentity, Binding, holds_identities};
use podid_core::target::{NodeTargetError, Target};
use podid_crds::aadpodidentity::BINDING_LABEL;
use podid_crds::convert;
use podid_index::ObjectKey;
use podid_index::feed::{self, Update, updates};
use podid_runtime::BoxError;

use super::existing::{self, ExistingObject};
use super::index::PlacedPod;
use super::shared_index::SharedIndex;
use super::view::AssignmentView;

/// A change of one object; `None` when it is gone or does not count.
enum Fact {
    Pod(ObjectKey, Option<PlacedPod>),
    Node(String, Option<Result<Target, NodeTargetError>>),
    Identity(ObjectKey, Option<AzureIdentity>),
    Binding(ObjectKey, Option<Binding>),
    Assigned(ObjectKey, Option<ExistingObject>),
    /// Every object of one kind that was there has been given.
    Listed(&'static str),
}

/// How many kinds [`watch_all`] watches.
const KINDS: usize = 5;

/// Applies what the watches deliver to the index.
pub(super) struct Facts {
    watches: SelectAll<BoxStream<'static, Fact>>,
    index: SharedIndex,
    assignment_view: AssignmentView,
}

impl Facts {
    pub(super) fn new(
        client: &Client,
        index: SharedIndex,
        assignment_view: AssignmentView,
    ) -> Self {
        Self {
            watches: watch_all(client),
            index,
            assignment_view,
        }
    }

    /// Applies every object that is there. Until then, whatever is missing would look as if nobody
    /// wanted it.
    pub(super) async fn list(&mut self) -> Result<(), BoxError> {
        let mut unlisted = KINDS;
        while unlisted > 0 {
            match self.next().await? {
                Fact::Listed(_) => unlisted -= 1,
                fact => self.apply(fact),
            }
        }
        Ok(())
    }

    /// Applies each change from then on.
    pub(super) async fn run(mut self) -> Result<(), BoxError> {
        loop {
            let fact = self.next().await?;
            self.apply(fact);
        }
    }

    async fn next(&mut self) -> Result<Fact, BoxError> {
        Ok(self.watches.next().await.ok_or("the watches ended")?)
    }

    fn apply(&self, fact: Fact) {
        match fact {
            Fact::Pod(key, placed) => {
                let pod = placed.as_ref().map(|placed| &placed.pod);
                self.assignment_view.set_pod_breaking_rule(&key, pod);
                self.index.set_pod(&key, placed);
            }
            Fact::Node(name, target) => self.index.set_node(&name, target),
            Fact::Identity(key, identity) => self.index.set_identity(&key, identity),
            Fact::Binding(key, binding) => self.index.set_binding(&key, binding),
            Fact::Assigned(key, object) => self.index.set_existing(&key, object),
            Fact::Listed(kind) => tracing::debug!(kind, "listed again"),
        }
    }
}

/// All watches; the stream does not end.
fn watch_all(client: &Client) -> SelectAll<BoxStream<'static, Fact>> {
    let any = watcher::Config::default;
    let labelled = any().labels(BINDING_LABEL);
    let ours = any().labels(&existing::managed_by_us());
    let pods = updates(client, labelled, placed);
    let nodes = updates(client, any(), |node: &Node| Some(convert::target_of(node)));
    let identities = updates(client, any(), feed::identity);
    let bindings = updates(client, any(), feed::binding);
    let assigned = updates(client, ours, |object| Some(existing::read_object(object)));
    stream::select_all([
        pods.map(|update| fact("Pod", update, Fact::Pod)).boxed(),
        nodes
            .map(|update| fact("Node", update, |key, node| Fact::Node(key.name, node)))
            .boxed(),
        identities
            .map(|update| fact("AzureIdentity", update, Fact::Identity))
            .boxed(),
        bindings
            .map(|update| fact("AzureIdentityBinding", update, Fact::Binding))
            .boxed(),
        assigned
            .map(|update| fact("AzureAssignedIdentity", update, Fact::Assigned))
            .boxed(),
    ])
}

fn fact<V>(
    kind: &'static str,
    update: Update<V>,
    of_object: impl FnOnce(ObjectKey, Option<V>) -> Fact,
) -> Fact {
    match update {
        Update::Object(key, value) => of_object(key, value),
        Update::Listed => Fact::Listed(kind),
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

    /// Weakness 41 of the predecessor: it kept every pod of the cluster, whole, in memory.
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
