//! What a class asks of pods that share a network with bound ones.

use std::collections::BTreeMap;

use super::spec::{Class, NeighbourScope, Neighbours};
use crate::condition::{API_SERVER_REFUSED, ConditionStatus, SubCondition};
use crate::net_raw::{NamedPods, NetRaw};
use crate::policy::{POLICY_CHANGED, POLICY_MISSING, PolicyState, changed_message};

/// Type of the condition of a class about its neighbours.
pub const NEIGHBOURS_READY: &str = "NeighboursReady";

/// How many pods the message of the condition names.
const NAMED: usize = 3;

/// The namespace of what a cluster itself runs.
const KUBE_SYSTEM: &str = "kube-system";

/// A pod, as far as it decides whether a class asks something of it.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    #[allow(missing_docs, reason = "the name is enough")]
    pub namespace: &'a str,
    /// Labels of its namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// `spec.nodeSelector`
    pub node_selector: &'a BTreeMap<String, String>,
}

impl Neighbour<'_> {
    /// Whether its namespace is one of the cluster's own, or podid's: what runs there works on the node's network.
    pub(super) fn is_of_the_system(&self, own_namespace: &str) -> bool {
        [KUBE_SYSTEM, own_namespace].contains(&self.namespace)
    }
}

impl Class {
    /// What the class asks of a pod, bound or not. `own_namespace` is podid's. The policies `podid-neighbours-*` state
    /// the same in CEL.
    #[must_use]
    pub fn asks_of(&self, pod: &Neighbour<'_>, own_namespace: &str) -> NetRaw {
        let Some(neighbours) = &self.neighbours else {
            return NetRaw::Ignore;
        };
        let is_system = pod.is_of_the_system(own_namespace);
        let is_in_scope = match neighbours.scope {
            NeighbourScope::Namespaces => {
                self.admits_namespace(pod.namespace, pod.namespace_labels)
            }
            NeighbourScope::Nodes => true,
        };
        match is_in_scope && !is_system && !neighbours.excepts(pod) {
            true => neighbours.rule,
            false => NetRaw::Ignore,
        }
    }
}

impl Neighbours {
    /// Whether the class leaves the pod out, by its namespace or by where it runs.
    pub(super) fn excepts(&self, pod: &Neighbour<'_>) -> bool {
        self.except_namespaces.contains(pod.namespace) || self.is_elsewhere(pod)
    }

    /// Whether the pod can only run on nodes that serve no identities. A kubelet refuses a pod whose selector its
    /// node does not fit.
    fn is_elsewhere(&self, pod: &Neighbour<'_>) -> bool {
        let mut labels = self.except_nodes.iter();
        !self.except_nodes.is_empty()
            && labels.all(|(key, value)| pod.node_selector.get(key) == Some(value))
    }

    /// The condition [`NEIGHBOURS_READY`]. `breaking` are the pods that run and break the rule. It is no part of
    /// `Ready`: other people's pods must not stop the profiles of a class.
    #[must_use]
    pub fn condition(&self, policy: PolicyState, breaking: &NamedPods) -> SubCondition {
        let (status, reason, message) = match policy {
            PolicyState::NotRead(message) => (
                ConditionStatus::Unknown,
                API_SERVER_REFUSED.to_owned(),
                message,
            ),
            PolicyState::Missing(name) => (
                ConditionStatus::False,
                POLICY_MISSING.to_owned(),
                format!(
                    "ValidatingAdmissionPolicy {name} or its binding is not installed, so nothing asks new pods to \
                     drop NET_RAW, or keeps them out of the namespaces of their node; apply podid's manifests again"
                ),
            ),
            PolicyState::Changed(name, part) => (
                ConditionStatus::False,
                POLICY_CHANGED.to_owned(),
                changed_message(name, part),
            ),
            PolicyState::NotNeeded => (
                ConditionStatus::True,
                "Ignored".to_owned(),
                "spec.neighbours.rule is Ignore; neighbours of bound pods may keep NET_RAW"
                    .to_owned(),
            ),
            PolicyState::Installed(_) if breaking.count > 0 => (
                ConditionStatus::False,
                "PodsKeepNetRaw".to_owned(),
                format!(
                    "pods run that may speak in the name of bound ones; correct their templates and recreate them: {}",
                    breaking.sentence(NAMED)
                ),
            ),
            PolicyState::Installed(name) => (
                ConditionStatus::True,
                match self.rule {
                    NetRaw::Enforce => "Enforced".to_owned(),
                    NetRaw::Audit | NetRaw::Ignore => "Audited".to_owned(),
                },
                format!(
                    "ValidatingAdmissionPolicy {name} asks new pods to drop NET_RAW, and those that run do"
                ),
            ),
        };
        SubCondition {
            kind: NEIGHBOURS_READY,
            status,
            reason,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net_raw::Breach;
    use crate::profile::admit::tests::class;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|&(key, value)| (key.into(), value.into()))
            .collect()
    }

    fn neighbours(scope: NeighbourScope) -> Neighbours {
        Neighbours {
            rule: NetRaw::Enforce,
            scope,
            except_namespaces: ["network".to_owned()].into(),
            except_nodes: map(&[("pool", "batch"), ("zone", "1")]),
        }
    }

    /// Whether a class that admits the namespace `apps` and those of team `a` asks something of such a pod.
    fn asks(
        scope: NeighbourScope,
        namespace: &str,
        labels: &[(&str, &str)],
        node: &[(&str, &str)],
    ) -> bool {
        let mut class = class();
        class.limits.namespaces = ["apps".to_owned(), "network".to_owned()].into();
        class.limits.namespace_labels = Some(map(&[("team", "a")]));
        class.neighbours = Some(neighbours(scope));
        let pod = Neighbour {
            namespace,
            namespace_labels: &map(labels),
            node_selector: &map(node),
        };
        class.asks_of(&pod, "podid-system") == NetRaw::Enforce
    }

    #[test]
    fn neighbours_are_those_of_the_classes_namespaces_or_of_all_nodes() {
        use NeighbourScope::{Namespaces, Nodes};
        assert!(asks(Namespaces, "apps", &[], &[]));
        assert!(asks(Namespaces, "other", &[("team", "a")], &[]));
        assert!(!asks(Namespaces, "other", &[("team", "b")], &[]));
        assert!(asks(Nodes, "other", &[("team", "b")], &[]));
        for scope in [Namespaces, Nodes] {
            for left_out in ["network", "kube-system", "podid-system"] {
                assert!(!asks(scope, left_out, &[("team", "a")], &[]), "{left_out}");
            }
        }
    }

    #[test]
    fn only_a_pod_that_must_run_elsewhere_is_left_out() {
        let asks = |node: &[(&str, &str)]| asks(NeighbourScope::Nodes, "other", &[], node);
        assert!(asks(&[("pool", "batch")]));
        assert!(asks(&[("pool", "batch"), ("zone", "2")]));
        assert!(!asks(&[("pool", "batch"), ("zone", "1"), ("disk", "ssd")]));
    }

    #[test]
    fn a_class_without_neighbours_asks_nothing() {
        let none = BTreeMap::new();
        let pod = Neighbour {
            namespace: "apps",
            namespace_labels: &none,
            node_selector: &none,
        };
        assert_eq!(class().asks_of(&pod, "podid-system"), NetRaw::Ignore);
    }

    #[test]
    fn pods_that_run_are_named_once_the_policy_is_there() {
        let mut breaking = NamedPods::default();
        breaking.add("apps/web-0", &[Breach::KeepsNetRaw("app".into())].into());
        let neighbours = neighbours(NeighbourScope::Nodes);
        let condition = |policy| {
            let condition = neighbours.condition(policy, &breaking);
            (condition.status, condition.reason)
        };
        let name = "podid-neighbours-enforce";
        assert_eq!(
            condition(PolicyState::Missing(name)),
            (ConditionStatus::False, POLICY_MISSING.into())
        );
        assert_eq!(
            condition(PolicyState::Installed(name)),
            (ConditionStatus::False, "PodsKeepNetRaw".into())
        );
        let message = neighbours
            .condition(PolicyState::Installed(name), &breaking)
            .message;
        assert!(
            message.ends_with("apps/web-0 (container app does not drop NET_RAW)"),
            "{message}"
        );
        let none = neighbours.condition(PolicyState::Installed(name), &NamedPods::default());
        assert_eq!(
            (none.status, &*none.reason),
            (ConditionStatus::True, "Enforced")
        );
    }
}
