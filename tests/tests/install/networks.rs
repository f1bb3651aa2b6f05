//! First calls on each kind of pod network, and of pods with a user namespace.

use podid_lab::{Lab, Network, Target};
use podid_tests::kubectl::Kubectl;
use serde_json::{Value, json};

use crate::cluster::with_podid;
use podid_tests::workloads::jobs::{asks_once, completes, job};

/// Where a node says whether frames on its bridges pass the rules of the IP families too.
const BRIDGE_NF: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// Runs a command on a node, and returns what it writes.
fn on_node(lab: &Lab, words: &[&str]) -> String {
    let output = lab
        .command(&Target::node("node-0"), words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Pods whose only container asks once, in the namespaces that `spec` asks for.
fn asks(spec: &Value) -> Value {
    let mut pod = json!({"restartPolicy": "Never", "containers": [asks_once("app")]});
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod[field] = value.clone();
    }
    pod
}

#[test]
fn on_point_to_point_links_the_first_call_is_answered() {
    let lab = with_podid("routed", Network::Routed, 1);
    let kubectl = Kubectl::of(&lab);
    kubectl.apply(&job("routed", &asks(&json!({}))));
    completes(&kubectl, "routed");
}

#[test]
fn on_a_bridge_the_first_call_is_answered_with_and_without_bridge_nf() {
    let lab = with_podid("bridged", Network::Bridge, 1);
    let kubectl = Kubectl::of(&lab);
    for value in ["0", "1"] {
        on_node(&lab, &["sh", "-c", &format!("echo {value} > {BRIDGE_NF}")]);
        assert_eq!(on_node(&lab, &["cat", BRIDGE_NF]).trim(), value);
        let name = format!("bridge-nf-{value}");
        kubectl.apply(&job(&name, &asks(&json!({}))));
        completes(&kubectl, &name);
    }
    let name = "own-users";
    kubectl.apply(&job(name, &asks(&json!({"hostUsers": false}))));
    completes(&kubectl, name);
}
