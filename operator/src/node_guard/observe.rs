//! From nodes, pods and DaemonSets to what is decided on.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{
    Node, NodeSelectorTerm, NodeSpec, NodeStatus, NodeSystemInfo, Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use podid_core::node_guard::{
    DaemonPod, NodeFacts, READY_DAEMON_ANNOTATION, ReadyDaemon, TAINT_KEY,
};
use podid_crds::convert;

/// Label of the DaemonSet of podid's node daemon and of its pods, as the manifests give it.
pub(super) const DAEMON_LABEL: &str = "app.kubernetes.io/name=podid-nmi";

/// Takes out of a node what nothing here is decided on, so that a cluster's nodes take little memory.
pub fn reduce(node: &mut Node) {
    node.metadata.managed_fields = None;
    if let Some(annotations) = &mut node.metadata.annotations {
        annotations.retain(|name, _| name == READY_DAEMON_ANNOTATION);
    }
    node.spec = node.spec.take().map(|spec| NodeSpec {
        taints: spec.taints,
        ..NodeSpec::default()
    });
    let status = node.status.take();
    let boot_id = status.and_then(|status| status.node_info);
    node.status = boot_id.map(|info| NodeStatus {
        node_info: Some(NodeSystemInfo {
            boot_id: info.boot_id,
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    });
}

/// The node as a value of `core`.
pub(super) fn node_facts(node: &Node) -> NodeFacts {
    let status = node.status.as_ref();
    let info = status.and_then(|status| status.node_info.as_ref());
    let taints = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten());
    let written = node.annotations().get(READY_DAEMON_ANNOTATION);
    NodeFacts {
        boot_id: info.map(|info| info.boot_id.clone()).unwrap_or_default(),
        has_taint: { taints }.any(|taint| taint.key == TAINT_KEY),
        last_ready: written.and_then(|text| ReadyDaemon::parse(text)),
    }
}

/// A pod of the daemon, and its node; `None` before it has one.
pub(super) fn daemon_pod(pod: &Pod) -> Option<(String, DaemonPod)> {
    let node = convert::node_name(pod)?.to_owned();
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let container = containers.and_then(|all| all.first()?.container_id.clone());
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    let is_ready = conditions.any(|one| one.type_ == "Ready" && one.status == "True");
    let daemon = DaemonPod {
        container: container.unwrap_or_default(),
        is_ready,
    };
    Some((node, daemon))
}

/// On which nodes a DaemonSet wants its pods.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DaemonPlacement {
    labels: BTreeMap<String, String>,
    /// Of these one must fit; `None` where it asks for nothing.
    terms: Option<Vec<Selector>>,
}

impl DaemonPlacement {
    /// Reads the node selector and the required node affinity of the pods. A term that this cannot read
    /// counts as fitting every node: a node too many is tainted until a person looks, and not left open.
    pub(super) fn of(set: &DaemonSet) -> Self {
        let pod = set.spec.template.spec.as_ref();
        let affinity = pod.and_then(|pod| pod.affinity.as_ref()?.node_affinity.as_ref());
        let required = affinity.and_then(|affinity| {
            let required = &affinity.required_during_scheduling_ignored_during_execution;
            required.as_ref()
        });
        let labels = pod.and_then(|pod| pod.node_selector.clone());
        Self {
            labels: labels.unwrap_or_default(),
            terms: required.map(|one| one.node_selector_terms.iter().map(selector).collect()),
        }
    }

    /// Whether it wants a pod on this node.
    pub(super) fn includes(&self, node: &Node) -> bool {
        let labels = node.labels();
        let has = |(name, value): (&String, &String)| labels.get(name) == Some(value);
        let fits = |terms: &Vec<Selector>| terms.iter().any(|term| term.matches(labels));
        self.labels.iter().all(has) && self.terms.as_ref().is_none_or(fits)
    }
}

fn selector(term: &NodeSelectorTerm) -> Selector {
    let wanted = term.match_expressions.iter().flatten();
    let expressions = wanted.map(|one| LabelSelectorRequirement {
        key: one.key.clone(),
        operator: one.operator.clone(),
        values: one.values.clone(),
    });
    let selector = LabelSelector {
        match_expressions: Some(expressions.collect()),
        match_labels: None,
    };
    Selector::try_from(selector).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node() -> Node {
        serde_json::from_value(json!({
            "metadata": {
                "name": "n1",
                "labels": {"kubernetes.io/os": "linux", "pool": "a"},
                "annotations": {"podid.dev/ready-daemon": "b0 c0", "other": "x"},
            },
            "spec": {
                "podCIDR": "10.0.0.0/24",
                "taints": [{"key": "podid.dev/not-ready", "effect": "NoExecute"}],
            },
            "status": {
                "nodeInfo": {
                    "bootID": "b1", "architecture": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "",
                    "osImage": "", "systemUUID": "",
                },
                "images": [{"names": ["large"]}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_node_is_reduced_to_what_is_decided_on() {
        let mut reduced = node();
        reduce(&mut reduced);
        assert_eq!(node_facts(&reduced), node_facts(&node()));
        assert_eq!(reduced.labels(), node().labels());
        let text = serde_json::to_string(&reduced).unwrap();
        assert!(!text.contains("large") && !text.contains("other"), "{text}");
        let expected = NodeFacts {
            boot_id: "b1".into(),
            has_taint: true,
            last_ready: ReadyDaemon::parse("b0 c0"),
        };
        assert_eq!(node_facts(&reduced), expected);
    }

    #[test]
    fn a_node_of_which_nothing_is_known_yet_is_read() {
        assert_eq!(node_facts(&Node::default()), NodeFacts::default());
    }

    #[test]
    fn a_daemon_is_ready_by_its_condition() {
        let pod = |ready: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "podid-nmi-x"},
                "spec": {"nodeName": "n1", "containers": []},
                "status": {
                    "conditions": [{"type": "Ready", "status": ready}],
                    "containerStatuses": [{
                        "name": "nmi", "containerID": "containerd://c", "ready": true,
                        "image": "", "imageID": "", "restartCount": 0,
                    }],
                },
            }))
            .unwrap()
        };
        for (ready, is_ready) in [("True", true), ("False", false)] {
            let container = "containerd://c".to_owned();
            let expected = (
                "n1".to_owned(),
                DaemonPod {
                    container,
                    is_ready,
                },
            );
            assert_eq!(daemon_pod(&pod(ready)), Some(expected));
        }
        assert_eq!(daemon_pod(&Pod::default()), None);
    }

    #[test]
    fn a_daemon_is_expected_where_its_daemon_set_places_it() {
        let includes = |pod: serde_json::Value| {
            let set: DaemonSet = serde_json::from_value(json!({
                "spec": {"selector": {}, "template": {"spec": pod}},
            }))
            .unwrap();
            DaemonPlacement::of(&set).includes(&node())
        };
        let affinity = |operator: &str, values: &[&str]| {
            json!({"containers": [], "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "pool", "operator": operator, "values": values}]},
                ]},
            }}})
        };
        let selected =
            |os: &str| json!({"containers": [], "nodeSelector": {"kubernetes.io/os": os}});
        for (pod, is_included) in [
            (json!({"containers": []}), true),
            (selected("linux"), true),
            (selected("windows"), false),
            (affinity("In", &["a", "b"]), true),
            (affinity("NotIn", &["a"]), false),
            (affinity("DoesNotExist", &[]), false),
            (affinity("Gt", &["7"]), true),
        ] {
            assert_eq!(includes(pod.clone()), is_included, "{pod}");
        }
    }
}
