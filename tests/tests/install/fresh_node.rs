//! Nodes that are registered with the taint, on which podid's daemon starts late: pods are placed there only
//! once the rules are.

use std::time::{Duration, Instant};

use podid_lab::{Flux, Lab, Lifetime, NodeAgent, NodeKind, UpOptions, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::node::TOKEN_URL;
use podid_tests::programs::repository;
use serde_json::{Value, json};

use crate::fixture::images;
use crate::objects::{self, TEAM};

const TAINT: &str = "podid.dev/not-ready";
/// The node on which the daemon's image is there in time, and the other.
const FIRST: &str = "node-0";
const LATE: &str = "node-1";
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(250);

/// Two tainted nodes with podid; the image of the daemon is missing on the second.
fn lab() -> Lab {
    let lab = Lab::up(UpOptions {
        name: format!("t-fresh-{}", std::process::id()),
        nodes: vec![NodeKind::Uniform; 2],
        node_agent: NodeAgent::Kubelet,
        node_taints: vec![format!("{TAINT}=:NoSchedule")],
        flux: Flux::None,
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    });
    let lab = lab.unwrap();
    for (node, image) in [
        (FIRST, "podid-operator"),
        (LATE, "podid-operator"),
        (FIRST, "podid-nmi"),
    ] {
        give_image(&lab, node, image);
    }
    install::trust_azure(&lab, install::NAMESPACE).unwrap();
    install::manifests(&lab, &repository().join("kustomize/lab")).unwrap();
    lab
}

fn give_image(lab: &Lab, node: &str, image: &str) {
    install::image(lab, node, &images().join(format!("{image}.tar"))).unwrap();
}

/// A pod on a node that asks for tokens from its start to its end, a line for each answer.
fn polls(name: &str, node: &str, labels: &Value, tolerations: &Value) -> Value {
    let ask = format!("curl -sS --max-time 5 -H Metadata:true '{TOKEN_URL}' 2>&1; echo");
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": TEAM, "labels": labels},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": tolerations,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "app", "image": "lab.podid.test/box:1",
                "command": ["sh", "-c", format!("while :; do {ask}; done")],
                "securityContext": {"capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

/// Answers with a token, and answers that are podid's refusal, in the log of a pod.
fn answers(kubectl: &Kubectl<'_>, pod: &str) -> (usize, usize) {
    let output = kubectl.output(&["--namespace", TEAM, "logs", pod]);
    let said = String::from_utf8_lossy(&output.stdout);
    let with = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    (with("access_token"), with("Identity not found"))
}

/// Waits until something holds, and returns how long that took.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < LIMIT,
            "{what} did not happen within {LIMIT:?}"
        );
        std::thread::sleep(PAUSE);
    }
    began.elapsed()
}

fn is_tainted(kubectl: &Kubectl<'_>, node: &str) -> bool {
    let node = kubectl.json(&["get", "node", node]);
    let taints = node["spec"]["taints"].as_array();
    taints
        .into_iter()
        .flatten()
        .any(|taint| taint["key"] == TAINT)
}

/// The condition `NodesGuarded` of the class: status and message.
fn nodes_guarded(kubectl: &Kubectl<'_>) -> (String, String) {
    let class = kubectl.json(&["get", "podidentityclass", "standard"]);
    let conditions = class["status"]["conditions"].as_array().unwrap().clone();
    let found = conditions.iter().find(|one| one["type"] == "NodesGuarded");
    let text = |field: &str| {
        found
            .and_then(|one| one[field].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    (text("status"), text("message"))
}

/// What keeps a pod from being placed.
fn unschedulable(kubectl: &Kubectl<'_>, pod: &str) -> String {
    let pod = kubectl.json(&["--namespace", TEAM, "get", "pod", pod]);
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|one| one["type"] == "PodScheduled" && one["status"] == "False");
    found
        .and_then(|one| one["message"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn events(kubectl: &Kubectl<'_>, node: &str) -> Vec<String> {
    let field = format!("--field-selector=involvedObject.kind=Node,involvedObject.name={node}");
    let events = kubectl.json(&["get", "events", "--all-namespaces", &field]);
    let events = events["items"].as_array().unwrap().clone();
    events
        .iter()
        .map(|event| event["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn no_pod_comes_to_a_tainted_node_before_the_rules() {
    let lab = lab();
    let kubectl = Kubectl::of(&lab);
    until("the first node is free", || !is_tainted(&kubectl, FIRST));
    assert!(is_tainted(&kubectl, LATE));
    objects::profile_is_ready(&kubectl);
    kubectl.apply(&polls(
        "bound",
        FIRST,
        &json!({"aadpodidbinding": "checkout"}),
        &json!([]),
    ));
    until("the bound pod has tokens", || {
        answers(&kubectl, "bound").0 > 0
    });

    kubectl.apply(&polls("stranger", LATE, &json!({}), &json!([])));
    until("the stranger is kept off", || {
        unschedulable(&kubectl, "stranger").contains(TAINT)
    });
    // What the taint is for: a pod that comes all the same gets the identity of the bound pod.
    let anyway = json!([{"key": TAINT, "operator": "Exists"}]);
    kubectl.apply(&polls("early", LATE, &json!({}), &anyway));
    until("the node is open", || answers(&kubectl, "early").0 > 0);
    until("the class names the node", || {
        let (status, message) = nodes_guarded(&kubectl);
        status == "False" && message.contains(LATE)
    });

    give_image(&lab, LATE, "podid-nmi");
    until("the second node is free", || !is_tainted(&kubectl, LATE));
    until("the stranger is refused", || {
        answers(&kubectl, "stranger").1 >= 20
    });
    let (tokens, refusals) = answers(&kubectl, "stranger");
    assert_eq!(tokens, 0, "beside {refusals} refusals");
    until("all nodes are guarded", || {
        nodes_guarded(&kubectl).0 == "True"
    });
    until("an Event says so", || {
        events(&kubectl, LATE).contains(&"NodeGuarded".to_owned())
    });
    println!(
        "tokens of the node before the rules, by taint: tolerated {}, kept off {tokens}",
        answers(&kubectl, "early").0
    );
}
