//! The pods of one node: a watch that feeds one worker per pod.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cleanup;
use super::node::Node;
use super::worker::{self, Seen};

type Guarded = DeserializeGuard<Pod>;

/// Follows the pods bound to the node; returns only when the watch can never be resumed. Broken
/// watches are resumed with back-off; a pod that cannot be read is logged and left alone.
pub(super) async fn run(node: Arc<Node>) {
    let pods: Api<Guarded> = Api::all(node.context.client.clone());
    let selector = format!("spec.nodeName={}", node.layout.name);
    let config = watcher::Config::default().fields(&selector);
    let mut events = std::pin::pin!(watcher(pods, config).default_backoff());
    let mut workers = Workers::new(node);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => workers.handle(event).await,
            Err(error) => tracing::warn!(
                node = workers.node.layout.name,
                error = &error as &dyn std::error::Error,
                "the watch of the node's pods broke; resuming"
            ),
        }
    }
}

/// The workers of a node by pod uid. Names are no keys here: a pod may still
/// end while another of its name starts.
struct Workers {
    node: Arc<Node>,
    seen: BTreeMap<String, watch::Sender<Seen>>,
    /// Ends the workers, and with them the pods' processes, when the kubelet ends.
    tasks: JoinSet<()>,
    /// The uids of a list in progress, and `None` outside of one.
    listed: Option<BTreeSet<String>>,
}

impl Workers {
    fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            seen: BTreeMap::new(),
            tasks: JoinSet::new(),
            listed: None,
        }
    }

    async fn handle(&mut self, event: watcher::Event<Guarded>) {
        match event {
            watcher::Event::Init => self.listed = Some(BTreeSet::new()),
            watcher::Event::InitApply(pod) | watcher::Event::Apply(pod) => self.applied(pod),
            watcher::Event::InitDone => self.list_done().await,
            watcher::Event::Delete(pod) => {
                if let Some(uid) = uid(&pod) {
                    self.gone(&uid);
                }
            }
        }
    }

    fn applied(&mut self, pod: Guarded) {
        let Some(uid) = uid(&pod) else { return };
        if let Some(listed) = &mut self.listed {
            listed.insert(uid.clone());
        }
        let pod = match pod.0 {
            Ok(pod) => pod,
            Err(error) => {
                tracing::warn!(
                    uid,
                    error = error.error,
                    "a pod of this node cannot be read"
                );
                return;
            }
        };
        self.reap();
        match self.seen.get(&uid) {
            Some(sender) => {
                sender.send_replace(Seen::Here(Box::new(pod)));
            }
            None => {
                let (sender, receiver) = watch::channel(Seen::Here(Box::new(pod)));
                self.tasks
                    .spawn(worker::run(Arc::clone(&self.node), uid.clone(), receiver));
                self.seen.insert(uid, sender);
            }
        }
    }

    /// Drops what is kept of workers that ended.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a pod's worker failed"
                );
            }
        }
        self.seen.retain(|_, sender| !sender.is_closed());
    }

    fn gone(&mut self, uid: &str) {
        if let Some(sender) = self.seen.remove(uid) {
            sender.send_replace(Seen::Gone);
        }
    }

    /// Pods that are not in the list were deleted while the watch was broken; what they left on the
    /// node is removed.
    async fn list_done(&mut self) {
        let Some(listed) = self.listed.take() else {
            return;
        };
        let missing: Vec<String> = self
            .seen
            .keys()
            .filter(|uid| !listed.contains(*uid))
            .cloned()
            .collect();
        for uid in &missing {
            self.gone(uid);
        }
        let known: BTreeSet<String> = listed.into_iter().chain(missing).collect();
        cleanup::sweep(&self.node, &known).await;
    }
}

fn uid(pod: &Guarded) -> Option<String> {
    let uid = match &pod.0 {
        Ok(pod) => pod.metadata.uid.clone(),
        Err(error) => error.metadata.uid.clone(),
    };
    if uid.is_none() {
        tracing::warn!("a pod without a uid is left alone");
    }
    uid
}
