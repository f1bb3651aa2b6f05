//! podid is removed as docs/install.md says, and leaves nothing.

use podid_lab::install::NAMESPACE;
use podid_lab::{Lab, Network, Target};
use podid_tests::kubectl::Kubectl;
use podid_tests::overlay::LabWith;
use serde_json::Value;

use crate::cluster::with_podid;
use podid_tests::workloads::jobs::{asks_once, completes, job};

/// What a node has of podid: tables, entries of pods and the daemon.
fn left_on_node(lab: &Lab) -> String {
    let show =
        "nft list tables | grep ' podid'; ip neigh show nud permanent; pgrep -l podid-nmi; true";
    let output = lab
        .command(&Target::node("node-0"), ["sh", "-c", show])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_the_page_says_removes_all_of_podid() {
    let lab = with_podid("removed", Network::Bridge, 1);
    let kubectl = Kubectl::of(&lab);
    let pod = serde_json::json!({"restartPolicy": "Never", "containers": [asks_once("app")]});
    kubectl.apply(&job("before", &pod));
    completes(&kubectl, "before");
    assert!(left_on_node(&lab).contains("podid"));

    // As it was installed, with the component that removes its rules.
    let mine = LabWith::component("uninstall").unwrap();
    let overlay = mine.path().display().to_string();
    kubectl.run(&[
        "delete",
        "podidentityprofiles",
        "--all",
        "--all-namespaces",
        "--timeout=120s",
    ]);
    kubectl.run(&["apply", "--server-side", "-k", &overlay]);
    let daemons = "daemonset/podid-nmi";
    kubectl.run(&[
        "--namespace",
        NAMESPACE,
        "rollout",
        "status",
        daemons,
        "--timeout=120s",
    ]);
    kubectl.run(&["delete", "-k", &overlay, "--timeout=120s"]);
    // It fails where no node has the taint.
    let _none = kubectl.output(&["taint", "nodes", "--all", "podid.dev/not-ready-"]);
    kubectl.run(&["annotate", "nodes", "--all", "podid.dev/ready-daemon-"]);

    assert_eq!(left_on_node(&lab).trim(), "", "on the node");
    for kind in kubectl
        .run(&["api-resources", "--verbs=list", "--output=name"])
        .lines()
    {
        let objects = kubectl.json(&["get", kind, "--all-namespaces"]);
        let ours = objects["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|object| is_ours(object));
        let ours: Vec<String> = ours.map(Value::to_string).collect();
        assert!(ours.is_empty(), "{kind}: {ours:?}");
    }
}

/// Whether an object is podid's or names it. Events tell what has been, and end by themselves; a node's status
/// names the images that it has pulled.
fn is_ours(object: &Value) -> bool {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    let text = object.to_string();
    object["kind"] != "Event" && (text.contains("\"podid.dev/") || text.contains(NAMESPACE))
}
