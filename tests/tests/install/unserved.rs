//! Pods that are never served: those that a kubelet runs from a file, and those for Windows.

use std::io::Write;
use std::process::Stdio;

use podid_lab::image::BOX;
use podid_lab::{Lab, Target};
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::jobs::asks_once;
use podid_tests::workloads::team::{TEAM, in_team};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use crate::cluster::cluster_alone;

const NODE: &str = "node-0";
/// Where the lab's kubelets look for pods.
const FOLDER: &str = "/var/lib/kubelet/manifests";

fn on_node(lab: &Lab, script: &str, input: &str) -> String {
    let mut command = lab.command(&Target::node(NODE), ["sh", "-c", script]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Has the node's kubelet run a pod from a file.
fn run_from_file(lab: &Lab, name: &str, container: &Value) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": TEAM, "labels": {"aadpodidbinding": "checkout"}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    });
    let script = format!("mkdir -p {FOLDER} && cat > {FOLDER}/{name}.json");
    on_node(lab, &script, &pod.to_string());
}

/// What the pod's container has written so far, by the node's own files.
fn written(lab: &Lab, name: &str) -> String {
    let script = format!("cat /var/log/pods/{TEAM}_{name}-{NODE}_*/app/*.log || true");
    on_node(lab, &script, "")
}

fn assigned(kubectl: &Kubectl<'_>, pod: &str) -> usize {
    let all = kubectl.json(&["get", "azureassignedidentities", "--all-namespaces"]);
    let all = all["items"].as_array().unwrap().iter();
    all.filter(|one| one["metadata"]["labels"]["podname"] == pod)
        .count()
}

#[test]
fn a_pod_that_a_kubelet_runs_from_a_file_gets_nothing_and_is_told_why() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    // The file of the second breaks the rule, so that the API server takes no copy of the pod.
    let mut keeps = asks_once("app");
    keeps["securityContext"] = json!({});
    run_from_file(&lab, "fixed", &asks_once("app"));
    run_from_file(&lab, "wild", &keeps);
    for name in ["fixed", "wild"] {
        wait_until(&format!("{name} was answered"), || {
            let said = written(&lab, name);
            assert!(!said.contains("access_token"), "{name}: {said}");
            said.contains("\"error\"")
        });
    }
    let copy = format!("fixed-{NODE}");
    let about = format!("--field-selector=regarding.name={copy},reason=StaticPod");
    wait_until("the copy is told why", || {
        let events = kubectl.json(&in_team(&["get", "events.v1.events.k8s.io", &about]));
        let note = events["items"][0]["note"].as_str().unwrap_or_default();
        note.contains("run it from the API server")
    });
    assert_eq!(assigned(&kubectl, &copy), 0);
    let pods = kubectl.json(&in_team(&["get", "pods"]));
    let pods = pods["items"].as_array().unwrap().iter();
    let wild = format!("wild-{NODE}");
    let copies = pods.filter(|pod| pod["metadata"]["name"] == wild).count();
    assert_eq!(copies, 0, "admission refused it");
    on_node(
        &lab,
        &format!("rm {FOLDER}/fixed.json {FOLDER}/wild.json"),
        "",
    );
    kubectl.run(&in_team(&[
        "wait",
        "--for=delete",
        &format!("pod/{copy}"),
        "--timeout=120s",
    ]));
}

#[test]
fn what_says_that_it_is_for_windows_runs_on_no_linux_node() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    // Nothing is asked of its capabilities, so this is all that keeps it from running with them.
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "panes", "namespace": TEAM, "labels": {"aadpodidbinding": "checkout"}},
        "spec": {
            "os": {"name": "windows"},
            "nodeSelector": {"kubernetes.io/hostname": NODE},
            "containers": [{"name": "app", "image": BOX, "command": ["sleep", "600"]}],
        },
    }));
    wait_until("the kubelet refuses it", || {
        let now = kubectl.json(&in_team(&["get", "pod", "panes"]));
        let status = &now["status"];
        status["phase"] == "Failed" && status["reason"] == "PodOSNotSupported"
    });
    let now = kubectl.json(&in_team(&["get", "pod", "panes"]));
    let states = &now["status"]["containerStatuses"];
    assert!(states.is_null() || states == &json!([]), "{states}");
    assert_eq!(assigned(&kubectl, "panes"), 0);
    kubectl.run(&in_team(&["delete", "pod", "panes", "--wait=true"]));
}
