//! Which change concerns which node.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::{Predicate, WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use podid_index::watch::{Watch, facts};

use super::context::NodeGuardContext;
use super::daemons::Concerned;
use super::observe::{DAEMON_LABEL, node_facts};
use crate::trigger::{Trigger, hash, touched, uid};

/// Nodes of which something is different that is decided on. A kubelet reports every few minutes that
/// nothing is.
pub(super) fn nodes(
    watch: &Watch<Node>,
    context: &Arc<NodeGuardContext>,
) -> impl Stream<Item = Trigger<Node>> + Send + 'static {
    let of_note = (|node: &Node| Some(hash(&(node_facts(node), node.labels())))).combine(uid);
    let (store, context) = (watch.store(), Arc::clone(context));
    touched(watch)
        .inspect(move |node| {
            let Ok(node) = node else { return };
            if store.get(&ObjectRef::from_obj(node)).is_none() {
                context.daemons.forget_node(&node.name_any());
                context.changed.notify_one();
            }
        })
        .predicate_filter(of_note, PredicateConfig::default())
}

/// Nodes whose daemon has changed, or that are to have one now, or none any more.
pub(super) fn daemons(
    context: &Arc<NodeGuardContext>,
    nodes: Store<Node>,
) -> impl Stream<Item = ObjectRef<Node>> + Send + 'static {
    let (client, namespace) = (&context.client, &context.namespace);
    let selected = || watcher::Config::default().labels(DAEMON_LABEL);
    let pods = facts(Api::namespaced(client.clone(), namespace), selected(), drop);
    let sets = facts(Api::namespaced(client.clone(), namespace), selected(), drop);
    let (of_pods, of_sets) = (context.daemons.clone(), context.daemons.clone());
    let pods = pods.map(move |fact| of_pods.pod(fact));
    let sets = sets.map(move |fact| of_sets.daemon_set(fact));
    let context = Arc::clone(context);
    stream::select(pods, sets).flat_map(move |concerned| {
        let concerned = match concerned {
            Concerned::None => Vec::new(),
            Concerned::Node(name) => vec![ObjectRef::new(&name)],
            Concerned::All => {
                // There may be no node, and then nothing else tells that the DaemonSet came or went.
                context.changed.notify_one();
                let nodes = nodes.state();
                nodes
                    .iter()
                    .map(|node| ObjectRef::from_obj(&**node))
                    .collect()
            }
        };
        stream::iter(concerned)
    })
}
