//! The component act-as-node, on nodes with real kubelets where podid ran without it.

use std::process::Command;

use podid_lab::{Lab, Network};
use podid_tests::kubectl::Kubectl;
use podid_tests::manifests::toolset;
use podid_tests::overlay::LabWith;
use podid_tests::pages::{blocks, page, section};
use podid_tests::rights::{DAEMON, called};
use podid_tests::workloads::jobs::{asks_once, completes, job};
use podid_tests::workloads::pollers::Pollers;
use podid_tests::workloads::team::{TEAM, client_id};
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::with_podid;

/// Runs the commands of docs/install.md that replace the daemons by ones that act as their nodes.
fn bind_to_nodes(lab: &Lab) {
    let overlay = LabWith::component("act-as-node").unwrap();
    let page = page("docs/install.md");
    let section = section(&page, "With the overlay of an environment");
    let (_, steps) = section
        .split_once("\n### Bind the daemons to their nodes\n")
        .unwrap();
    let commands = blocks(steps, "sh").remove(0);
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{commands}")])
        .current_dir(overlay.folder())
        .env(
            "PATH",
            format!("{}:{path}", toolset().path().join("bin").display()),
        )
        .env("KUBECONFIG", lab.kubeconfig())
        .env("HOME", overlay.folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands}: {output:?}");
}

#[test]
fn daemons_become_their_nodes_while_they_serve_and_the_kubelet_tells_of_pods_as_before() {
    let lab = with_podid("as-node", Network::Bridge, 1);
    let kubectl = Kubectl::of(&lab);
    let own = client_id(&kubectl);
    let polling = Pollers::start(&lab, "as-node-pollers");
    bind_to_nodes(&lab);
    polling.more_of_each(10);
    for line in polling.end("daemons become their nodes") {
        assert_eq!((line.exit, line.status), (0, 200), "{line:?}");
        assert_eq!(line.client_id, own, "{line:?}");
    }
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
