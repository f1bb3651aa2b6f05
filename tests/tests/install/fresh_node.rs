//! A node without podid's rules: it is fresh and its daemon comes late, it has restarted, or somebody took the
//! rules away while no daemon was there. The taint keeps pods off that come anew; what is left open is counted
//! and printed, and stands in `docs/install.md`.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use podid_lab::image::BOX;
use podid_lab::{Flux, Lab, Lifetime, NodeAgent, NodeKind, Target, UpOptions, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::node::TOKEN_URL;
use podid_tests::programs::{program, repository};
use serde_json::{Value, json};

use crate::fixture::images;
use podid_tests::workloads::team::{self, TEAM};

const TAINT: &str = "podid.dev/not-ready";
/// The node on which the daemon's image is there in time, and the other.
const FIRST: &str = "node-0";
const LATE: &str = "node-1";
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(250);
/// How long a daemon may be away, in this lab.
const DELAY: Duration = Duration::from_secs(10);

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
    let delay = format!("PODID_NODE_TAINT_DELAY={}s", DELAY.as_secs());
    ours(
        &Kubectl::of(&lab),
        &["set", "env", "deployment/podid-operator", &delay],
    );
    lab
}

fn give_image(lab: &Lab, node: &str, image: &str) {
    install::image(lab, node, &images().join(format!("{image}.tar"))).unwrap();
}

/// A pod on a node that asks for tokens of the profile's identity from its start to its end, a line for each
/// answer.
fn polls(
    kubectl: &Kubectl<'_>,
    name: &str,
    node: &str,
    labels: &Value,
    tolerations: &Value,
) -> Value {
    let url = format!("{TOKEN_URL}&client_id={}", team::client_id(kubectl));
    let ask = format!("curl -sS --max-time 5 -H Metadata:true '{url}' 2>&1; echo");
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": TEAM, "labels": labels},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": tolerations,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "app", "image": BOX,
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

fn count(kubectl: &Kubectl<'_>, node: &str, reason: &str) -> usize {
    let events = events(kubectl, node);
    events.iter().filter(|one| *one == reason).count()
}

/// kubectl in podid's namespace.
fn ours(kubectl: &Kubectl<'_>, arguments: &[&str]) {
    kubectl.run(&[&["--namespace", install::NAMESPACE], arguments].concat());
}

/// Runs a script on a node.
fn on_node(lab: &Lab, node: &str, script: &str) {
    let mut command = lab.command(&Target::node(node), ["sh", "-ec", script]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
}

/// What a restart of a node comes to: its containers and rules are gone, it has another boot id, and its
/// kubelet starts and starts its pods.
fn restart(lab: &Lab, node: &str) {
    let signal = |program: &str, signal: Signal| {
        let name = format!("{program}-{node}");
        lab.kill_service(&name, signal as i32).unwrap();
    };
    signal("kubelet", Signal::SIGSTOP);
    let ctr = lab.tools().unwrap().join("ctr").display().to_string();
    let ctr = format!("{ctr} --address /run/containerd/containerd.sock --namespace k8s.io");
    // It takes away what podid has written besides, which does not outlive a restart either.
    let nmi = program("podid-nmi").display().to_string();
    let script = format!(
        "for task in $({ctr} tasks list --quiet); do
           {ctr} tasks kill --signal SIGKILL $task || true
         done
         nft flush ruleset
         {nmi} uninstall
         cat /proc/sys/kernel/random/uuid > /tmp/boot_id
         mount --bind /tmp/boot_id /proc/sys/kernel/random/boot_id"
    );
    on_node(lab, node, &script);
    signal("kube-proxy", Signal::SIGKILL);
    signal("kubelet", Signal::SIGKILL);
}

fn boot_id(kubectl: &Kubectl<'_>, node: &str) -> String {
    let node = kubectl.json(&["get", "node", node]);
    let boot_id = node["status"]["nodeInfo"]["bootID"].as_str();
    boot_id.unwrap().to_owned()
}

/// How often a pod's container was started again.
fn restarts(kubectl: &Kubectl<'_>, pod: &str) -> u64 {
    let pod = kubectl.json(&["--namespace", TEAM, "get", "pod", pod]);
    let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
    restarts.as_u64().unwrap_or_default()
}

#[test]
fn pods_that_come_anew_meet_the_rules_or_are_kept_off() {
    let lab = lab();
    let kubectl = Kubectl::of(&lab);
    fresh(&lab, &kubectl);
    restarted(&lab, &kubectl);
    flushed(&lab, &kubectl);
}

/// The image of the daemon comes late.
fn fresh(lab: &Lab, kubectl: &Kubectl<'_>) {
    until("the first node is free", || !is_tainted(kubectl, FIRST));
    assert!(is_tainted(kubectl, LATE));
    team::profile_is_ready(kubectl);
    kubectl.apply(&polls(
        kubectl,
        "bound",
        FIRST,
        &json!({"aadpodidbinding": "checkout"}),
        &json!([]),
    ));
    until("the bound pod has tokens", || {
        answers(kubectl, "bound").0 > 0
    });

    kubectl.apply(&polls(kubectl, "stranger", LATE, &json!({}), &json!([])));
    until("the stranger is kept off", || {
        unschedulable(kubectl, "stranger").contains("untolerated taint")
    });
    // What the taint is for: a pod that comes all the same gets the identity of the bound pod.
    let anyway = json!([{"key": TAINT, "operator": "Exists"}]);
    kubectl.apply(&polls(kubectl, "early", LATE, &json!({}), &anyway));
    until("the node is open", || answers(kubectl, "early").0 > 0);
    until("the class names the node", || {
        let (status, message) = nodes_guarded(kubectl);
        status == "False" && message.contains(LATE)
    });

    give_image(lab, LATE, "podid-nmi");
    until("the second node is free", || !is_tainted(kubectl, LATE));
    until("the stranger is refused", || {
        answers(kubectl, "stranger").1 >= 20
    });
    let (tokens, refusals) = answers(kubectl, "stranger");
    assert_eq!(tokens, 0, "beside {refusals} refusals");
    until("all nodes are guarded", || {
        nodes_guarded(kubectl).0 == "True"
    });
    until("an Event says so", || {
        events(kubectl, LATE).contains(&"NodeGuarded".to_owned())
    });
    let early = answers(kubectl, "early").0;
    println!("fresh node: a pod that tolerates the taint got {early} tokens, another {tokens}");
    kubectl.run(&["--namespace", TEAM, "delete", "pod", "early"]);
}

/// The operator that leads, and its node.
fn leads_on(kubectl: &Kubectl<'_>) -> Option<(String, String)> {
    let lease = kubectl.json(&[
        "--namespace",
        install::NAMESPACE,
        "get",
        "lease",
        "podid-operator",
    ]);
    let holder = lease["spec"]["holderIdentity"].as_str()?.to_owned();
    let pods = kubectl.json(&["--namespace", install::NAMESPACE, "get", "pods"]);
    let mut pods = pods["items"].as_array()?.iter();
    let pod = pods.find(|pod| pod["metadata"]["name"] == holder.as_str())?;
    let node = pod["spec"]["nodeName"].as_str()?.to_owned();
    Some((holder, node))
}

/// Has an operator of the first node lead. One that leads on the node that restarts ends with it, and the next
/// sees the node only when it leads, which may be after the daemon there is ready again.
fn lead_on_first(kubectl: &Kubectl<'_>) {
    until("an operator on the first node leads", || {
        match leads_on(kubectl) {
            Some((_, node)) if node == FIRST => true,
            Some((pod, _)) => {
                ours(kubectl, &["delete", "pod", &pod, "--ignore-not-found"]);
                false
            }
            None => false,
        }
    });
}

/// The pods of a node that restarts are started again without being placed.
fn restarted(lab: &Lab, kubectl: &Kubectl<'_>) {
    lead_on_first(kubectl);
    let (boot, before) = (boot_id(kubectl, LATE), restarts(kubectl, "stranger"));
    let told = count(kubectl, LATE, "NodeUnguarded");
    let began = Instant::now();
    restart(lab, LATE);
    until("the kubelet reports the restart", || {
        boot_id(kubectl, LATE) != boot
    });
    until("the operator has seen it", || {
        count(kubectl, LATE, "NodeUnguarded") > told
    });
    let tainted = began.elapsed();
    until("the stranger runs again", || {
        restarts(kubectl, "stranger") > before
    });
    until("the stranger is refused again", || {
        answers(kubectl, "stranger").1 >= 20
    });
    until("the node is free again", || !is_tainted(kubectl, LATE));
    let (tokens, _) = answers(kubectl, "stranger");
    println!("restarted node: tainted within {tainted:.1?}; its own pod got {tokens} tokens");
}

/// Somebody takes the rules away while no daemon can start.
fn flushed(lab: &Lab, kubectl: &Kubectl<'_>) {
    let image = json!([{"name": "nmi", "image": "podid.dev/podid-nmi:missing"}]);
    let missing = json!({"spec": {
        "updateStrategy": {"type": "OnDelete", "rollingUpdate": null},
        "template": {"spec": {"containers": image}},
    }});
    ours(
        kubectl,
        &[
            "patch",
            "daemonset",
            "podid-nmi",
            &format!("--patch={missing}"),
        ],
    );
    let on = format!("--field-selector=spec.nodeName={LATE}");
    ours(
        kubectl,
        &[
            "delete",
            "pod",
            "--selector=app.kubernetes.io/name=podid-nmi",
            &on,
        ],
    );
    let before = answers(kubectl, "stranger").0;
    assert!(!is_tainted(kubectl, LATE), "within the delay");
    on_node(lab, LATE, "nft flush ruleset");
    let took = until("the taint is back", || is_tainted(kubectl, LATE));
    let tokens = answers(kubectl, "stranger").0 - before;
    assert_eq!(tokens, 0, "the blackhole route is there still");
    println!("rules flushed, no daemon: tainted after {took:.1?} with a delay of {DELAY:?}");
    until("the class names the node", || {
        let (status, message) = nodes_guarded(kubectl);
        status == "False" && message.contains(LATE)
    });
    kubectl.apply(&polls(kubectl, "late", LATE, &json!({}), &json!([])));
    until("a pod that comes now is kept off", || {
        unschedulable(kubectl, "late").contains("untolerated taint")
    });
}
