//! The component act-as-node, on a node with a real kubelet.

use podid_lab::Network;
use podid_tests::kubectl::Kubectl;
use podid_tests::overlay::LabWith;
use podid_tests::rights::called;
use podid_tests::workloads::jobs::{asks_once, completes, job};
use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::with_overlay;

const DAEMON: &str = "system:serviceaccount:podid-system:podid-nmi";

#[test]
fn a_daemon_that_acts_as_its_node_serves_pods_and_the_kubelet_tells_of_them_as_before() {
    let overlay = LabWith::component("act-as-node").unwrap();
    let lab = with_overlay("as-node", Network::Bridge, 1, &overlay.path());
    let kubectl = Kubectl::of(&lab);
    let pod = json!({"restartPolicy": "Never", "containers": [asks_once("app")]});
    kubectl.apply(&job("as-node", &pod));
    completes(&kubectl, "as-node");
    wait_until("the kubelet tells that a container has started", || {
        let events = kubectl.json(&["--namespace", TEAM, "get", "events"]);
        let mut events = events["items"].as_array().unwrap().iter();
        events
            .any(|event| event["source"]["component"] == "kubelet" && event["reason"] == "Started")
    });
    let calls = called(&lab.audit_log(), DAEMON).unwrap();
    assert!(!calls.allowed.is_empty());
    assert_eq!(calls.forbidden, [].into(), "calls that no right covers");
}
