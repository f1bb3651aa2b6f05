//! podid is removed as docs/install.md says, and leaves nothing; profiles that are left hold up nothing.

use podid_lab::install::NAMESPACE;
use podid_lab::{Lab, Network, Target};
use podid_tests::azure;
use podid_tests::kubectl::Kubectl;
use podid_tests::overlay::LabWith;
use podid_tests::programs::repository;
use serde_json::Value;

use crate::cluster::with_podid;
use podid_tests::workloads::jobs::{asks_once, completes, job};
use podid_tests::workloads::team::TEAM;

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

/// Writes of Azure would be seen: the simulator counts every call.
#[test]
fn with_the_component_the_operator_lets_profiles_go_and_changes_nothing_in_azure() {
    let lab = with_podid("let-go", Network::Bridge, 1);
    let kubectl = Kubectl::of(&lab);
    let checkout = ["--namespace", TEAM, "get", "podidentityprofile/checkout"];
    let before = kubectl.json(&checkout);
    assert!(before["metadata"]["finalizers"].is_array(), "{before}");
    let mine = LabWith::component("uninstall").unwrap();
    let overlay = mine.path().display().to_string();
    azure::forget_calls(&lab);
    kubectl.run(&["apply", "--server-side", "-k", &overlay]);
    let rollout = ["--namespace", NAMESPACE, "rollout", "status"];
    for workload in ["deployment/podid-operator", "daemonset/podid-nmi"] {
        kubectl.run(&[&rollout[..], &[workload, "--timeout=120s"]].concat());
    }
    let after = kubectl.json(&checkout);
    assert_eq!(after["metadata"].get("finalizers"), None, "{after}");
    assert_eq!(after["status"], before["status"]);
    let id = &after["status"]["identity"]["resourceId"];
    let logs = ["--namespace", NAMESPACE, "logs", "--all-containers"];
    let selector = "--selector=app.kubernetes.io/name=podid-operator";
    let said = kubectl.run(&[&logs[..], &[selector, "--tail=-1"]].concat());
    let id = id.as_str().unwrap().to_lowercase();
    assert!(said.to_lowercase().contains(&id), "{said}");

    let runs = ["deployment/podid-operator", "daemonset/podid-nmi"];
    kubectl.run(&[&["--namespace", NAMESPACE, "delete"], &runs[..]].concat());
    let lab_overlay = repository().join("kustomize/lab").display().to_string();
    kubectl.run(&["apply", "--server-side", "-k", &lab_overlay]);
    let again = kubectl.wait_until("podidentityprofile/checkout", TEAM, "held", |profile| {
        profile["metadata"]["finalizers"] == before["metadata"]["finalizers"]
    });
    assert_eq!(again["status"]["identity"], before["status"]["identity"]);
    kubectl.run(&["apply", "--server-side", "-k", &overlay]);
    kubectl.run(&[&rollout[..], &[runs[0], "--timeout=120s"]].concat());

    // Its kind is part of the overlay, and goes although a profile is left.
    kubectl.run(&["delete", "-k", &overlay, "--timeout=120s"]);
    kubectl.run(&["delete", "namespace", TEAM, "--timeout=60s"]);
    assert_eq!(azure::writes(&lab), Vec::<String>::new());
    let state = azure::admin(&lab, "GET", "/state").to_string();
    assert!(state.to_lowercase().contains(&id), "{state}");
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
