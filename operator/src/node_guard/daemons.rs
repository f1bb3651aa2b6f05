//! The daemons that are known, by node, and since when a node is without one that is ready.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use podid_core::moment::Moment;
use podid_core::node_guard::DaemonPod;
use podid_index::watch::WatchFact;
use podid_index::{Multi, ObjectKey};

use super::observe::{DaemonPlacement, daemon_pod};
use crate::clock::MonotonicClock;

/// See the module. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Daemons {
    state: Arc<Mutex<State>>,
    clock: MonotonicClock,
}

#[derive(Debug, Default)]
struct State {
    pods: HashMap<ObjectKey, (String, DaemonPod)>,
    of_node: Multi<String, ObjectKey>,
    placements: HashMap<ObjectKey, DaemonPlacement>,
    /// Whether all pods, and all DaemonSets, have been given once.
    listed: (bool, bool),
    /// Since when a node has been known to have no ready daemon.
    away_since: HashMap<String, Moment>,
}

/// The daemons on one node.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DaemonsOnNode {
    pub(super) pods: Vec<DaemonPod>,
    /// How long it has been known that none of them is ready.
    pub(super) away: Duration,
}

/// Which nodes a change concerns.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concerned {
    None,
    Node(String),
    All,
}

impl Daemons {
    /// A change of a pod of the daemon. One that moves to another node was replaced by another pod of its
    /// name, which the watch gives as gone before.
    pub(super) fn pod(&self, fact: WatchFact<Pod>) -> Concerned {
        let mut state = self.state();
        let (key, pod) = match fact {
            WatchFact::Listed => {
                state.listed.0 = true;
                return Concerned::All;
            }
            WatchFact::Present(key, pod) => (key, daemon_pod(&pod)),
            WatchFact::Gone(key) => (key, None),
        };
        match pod {
            Some((node, daemon)) => {
                state.pods.insert(key.clone(), (node.clone(), daemon));
                state.of_node.insert(node.clone(), key);
                Concerned::Node(node)
            }
            None => state.remove(&key),
        }
    }

    /// A change of the DaemonSet. What it says of its pods' state is of no concern.
    pub(super) fn daemon_set(&self, fact: WatchFact<DaemonSet>) -> Concerned {
        let mut state = self.state();
        let is_new = match fact {
            WatchFact::Listed => {
                state.listed.1 = true;
                true
            }
            WatchFact::Present(key, set) => {
                let placement = DaemonPlacement::of(&set);
                let before = state.placements.insert(key, placement.clone());
                before.as_ref() != Some(&placement)
            }
            WatchFact::Gone(key) => state.placements.remove(&key).is_some(),
        };
        match is_new {
            true => Concerned::All,
            false => Concerned::None,
        }
    }

    /// The daemons on a node; `None` while not all daemons are known, and where none is to run.
    pub(super) fn on(&self, node: &Node) -> Option<DaemonsOnNode> {
        let now = self.clock.now();
        let mut state = self.state();
        let is_included = state.placements.values().any(|one| one.includes(node));
        if state.listed != (true, true) || !is_included {
            return None;
        }
        let name = node.name_any();
        let pods = state.on_node(&name);
        let away = match pods.iter().any(|daemon| daemon.is_ready) {
            true => {
                state.away_since.remove(&name);
                Duration::ZERO
            }
            false => {
                let since = *state.away_since.entry(name).or_insert(now);
                now.saturating_duration_since(since)
            }
        };
        Some(DaemonsOnNode { pods, away })
    }

    /// Whether all daemons are known, and if so, whether there is a DaemonSet.
    pub(super) fn has_daemon_set(&self) -> Option<bool> {
        let state = self.state();
        (state.listed == (true, true)).then(|| !state.placements.is_empty())
    }

    /// Forgets a node that is gone.
    pub(super) fn forget_node(&self, name: &str) {
        self.state().away_since.remove(name);
    }

    /// Nothing can panic while the lock is held, so a poisoned state is still a true one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn on_node(&self, name: &str) -> Vec<DaemonPod> {
        let keys = self.of_node.get(name).into_iter().flatten();
        let pods = keys.filter_map(|key| self.pods.get(key));
        pods.map(|(_, daemon)| daemon.clone()).collect()
    }

    fn remove(&mut self, key: &ObjectKey) -> Concerned {
        let Some((node, _)) = self.pods.remove(key) else {
            return Concerned::None;
        };
        self.of_node.remove(&node, key);
        Concerned::Node(node)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("podid-system", name)
    }

    fn pod(name: &str, node: &str, ready: bool) -> WatchFact<Pod> {
        let status = if ready { "True" } else { "False" };
        let pod = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        }));
        WatchFact::Present(key(name), pod.unwrap())
    }

    fn set(node_selector: Value) -> WatchFact<DaemonSet> {
        let set = serde_json::from_value(json!({
            "spec": {"selector": {}, "template": {"spec": {
                "containers": [], "nodeSelector": node_selector,
            }}},
        }));
        WatchFact::Present(key("podid-nmi"), set.unwrap())
    }

    fn node(name: &str) -> Node {
        let mut node = Node::default();
        node.metadata.name = Some(name.to_owned());
        node
    }

    fn listed() -> Daemons {
        let daemons = Daemons::default();
        daemons.daemon_set(set(json!({})));
        daemons.daemon_set(WatchFact::Listed);
        daemons.pod(WatchFact::Listed);
        daemons
    }

    fn away(daemons: &Daemons) -> Option<Duration> {
        Some(daemons.on(&node("n1"))?.away)
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_without_a_daemon_since_that_was_first_seen() {
        let daemons = listed();
        daemons.pod(pod("a", "n1", true));
        tokio::time::advance(10 * SECOND).await;
        assert_eq!(away(&daemons), Some(Duration::ZERO));
        assert_eq!(
            daemons.pod(pod("a", "n1", false)),
            Concerned::Node("n1".into())
        );
        assert_eq!(away(&daemons), Some(Duration::ZERO));
        tokio::time::advance(SECOND).await;
        assert_eq!(
            daemons.pod(WatchFact::Gone(key("a"))),
            Concerned::Node("n1".into())
        );
        assert_eq!(away(&daemons), Some(SECOND), "it is gone as well");
        daemons.pod(pod("b", "n1", true));
        assert_eq!(away(&daemons), Some(Duration::ZERO));
        daemons.pod(pod("b", "n1", false));
        assert_eq!(away(&daemons), Some(Duration::ZERO), "counted anew");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_decided_before_everything_is_known() {
        let daemons = Daemons::default();
        daemons.daemon_set(set(json!({})));
        assert_eq!((away(&daemons), daemons.has_daemon_set()), (None, None));
        daemons.daemon_set(WatchFact::Listed);
        assert_eq!((away(&daemons), daemons.has_daemon_set()), (None, None));
        assert_eq!(daemons.pod(WatchFact::Listed), Concerned::All);
        assert_eq!(away(&daemons), Some(Duration::ZERO));
        assert_eq!(daemons.has_daemon_set(), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_daemon_set_or_outside_of_it_no_daemon_is_expected() {
        let daemons = listed();
        assert_eq!(
            daemons.daemon_set(set(json!({}))),
            Concerned::None,
            "as before"
        );
        assert_eq!(
            daemons.daemon_set(set(json!({"pool": "a"}))),
            Concerned::All
        );
        assert_eq!(away(&daemons), None);
        daemons.daemon_set(set(json!({})));
        assert!(away(&daemons).is_some());
        let gone = daemons.daemon_set(WatchFact::Gone(key("podid-nmi")));
        assert_eq!((gone, away(&daemons)), (Concerned::All, None));
        assert_eq!(daemons.has_daemon_set(), Some(false));
    }

    #[tokio::test(start_paused = true)]
    async fn two_daemons_of_a_node_are_told_apart() {
        let daemons = listed();
        daemons.pod(pod("a", "n1", true));
        daemons.pod(pod("b", "n1", false));
        daemons.pod(pod("c", "n2", false));
        let on = daemons.on(&node("n1")).unwrap();
        assert_eq!((on.pods.len(), on.away), (2, Duration::ZERO));
        daemons.pod(WatchFact::Gone(key("a")));
        daemons.pod(WatchFact::Gone(key("b")));
        assert_eq!(daemons.on(&node("n1")).unwrap().pods, []);
        assert_eq!(daemons.pod(WatchFact::Gone(key("b"))), Concerned::None);
    }
}
