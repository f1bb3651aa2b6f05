//! A cluster with the component, and who is in it.

use std::fs;
use std::sync::OnceLock;

use podid_lab::{Flux, Lab, Lifetime, NodeKind, Target, UpOptions, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::overlay::LabWith;
use podid_tests::programs;
use podid_tests::rights::DAEMON;
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};

use super::super::Theft;
use crate::fixture::config_of;

pub(super) const OTHER_NODE: &str = "node-1";

/// A cluster of two nodes in which podid is installed with the component.
pub(super) fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let lab = Lab::up(UpOptions {
            name: format!("as-node-{}", std::process::id()),
            nodes: vec![NodeKind::Uniform; 2],
            flux: Flux::None,
            lifetime: Lifetime::Caller,
            ..UpOptions::default()
        });
        let lab = lab.unwrap();
        let overlay = LabWith::component("act-as-node").unwrap();
        // It waits until the daemons are ready, and so have listed the pods of their nodes.
        install::programs(&lab, &programs::folder(), &overlay.path()).unwrap();
        lab
    })
}

/// The theft of a token in that cluster, with the pod `shop` on its node and `far` on the other one.
pub(super) async fn theft() -> Theft {
    let lab = tokio::task::spawn_blocking(lab).await.unwrap();
    let theft = Theft::commit_in(config_of(&lab.kubeconfig()).await).await;
    assert_ne!(theft.node, OTHER_NODE);
    for (name, node) in [("shop", theft.node.as_str()), ("far", OTHER_NODE)] {
        let pod = pod(&theft.space.name, name, node, json!({}));
        theft.space.create("Pod", pod, false).await.unwrap();
    }
    theft
}

pub(super) fn pod(namespace: &str, name: &str, node: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "nodeName": node, "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "app", "image": "registry.example.com/app:1",
                "securityContext": {"capabilities": {"drop": ["NET_RAW"]}},
            }],
        },
    })
}

/// Names of the pods in a list.
pub(super) fn names(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    let pods = list["items"].as_array().unwrap().iter();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
    pods.map(name).collect()
}

/// Gives pods of the team with a label the node's own identities, of which none is a profile's.
pub(super) fn excepts(kubectl: &Kubectl<'_>, labels: &Value) {
    kubectl.apply(&json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException",
        "metadata": {"name": "excepted", "namespace": TEAM}, "spec": {"podLabels": labels},
    }));
}

/// What a pod is answered that asks at this address.
pub(super) fn asks(lab: &Lab, pod: &str, url: &str) -> String {
    let curl = [
        "curl",
        "-sS",
        "--max-time",
        "40",
        "-H",
        "Metadata:true",
        url,
    ];
    let output = lab.command(&Target::pod(TEAM, pod), curl).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The daemons' calls about a resource that the API server has written down: verb, whose name they were made in, and
/// whether they were allowed.
pub(super) fn calls(lab: &Lab, resource: &str) -> Vec<(String, String, bool)> {
    let log = fs::read_to_string(lab.audit_log()).unwrap();
    // The last line may be half written.
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = events.filter(|event| {
        // A thief's token is that of another pod of the account.
        let pod = &event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0];
        event["user"]["username"] == DAEMON
            && event["objectRef"]["resource"] == resource
            && pod
                .as_str()
                .is_some_and(|pod| pod.starts_with("podid-nmi-"))
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ours.map(|event| {
        let allowed = event["annotations"]["authorization.k8s.io/decision"] == "allow";
        let name = text(&event["impersonatedUser"]["username"]);
        (text(&event["verb"]), name, allowed)
    })
    .collect()
}
