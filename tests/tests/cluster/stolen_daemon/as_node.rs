//! The component act-as-node: the daemons do their work as their nodes, and a stolen token is good for one node.

use std::fs;
use std::sync::OnceLock;

use podid_lab::{Flux, Lab, Lifetime, NodeKind, Target, UpOptions, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::node::TOKEN_URL;
use podid_tests::overlay::LabWith;
use podid_tests::programs;
use podid_tests::workloads::team::{self, TEAM};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use super::Theft;
use super::attempts::{self, Attempt, list_pods};
use crate::fixture::{Space, config_of, eventually};

const DAEMON: &str = "system:serviceaccount:podid-system:podid-nmi";
const OTHER_NODE: &str = "node-1";

/// A cluster of two nodes in which podid is installed with the component.
fn lab() -> &'static Lab {
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
async fn theft() -> Theft {
    let lab = tokio::task::spawn_blocking(lab).await.unwrap();
    let theft = Theft::commit_in(config_of(&lab.kubeconfig()).await).await;
    assert_ne!(theft.node, OTHER_NODE);
    for (name, node) in [("shop", theft.node.as_str()), ("far", OTHER_NODE)] {
        let pod = pod(&theft.space.name, name, node, json!({}));
        theft.space.create("Pod", pod, false).await.unwrap();
    }
    theft
}

fn pod(namespace: &str, name: &str, node: &str, labels: Value) -> Value {
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
fn names(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    let pods = list["items"].as_array().unwrap().iter();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
    pods.map(name).collect()
}

/// Gives pods of the team with a label the node's own identities, of which none is a profile's.
fn excepts(kubectl: &Kubectl<'_>, labels: &Value) {
    kubectl.apply(&json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException",
        "metadata": {"name": "excepted", "namespace": TEAM}, "spec": {"podLabels": labels},
    }));
}

/// What a pod is answered that asks at this address.
fn asks(lab: &Lab, pod: &str, url: &str) -> String {
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
fn calls(lab: &Lab, resource: &str) -> Vec<(String, String, bool)> {
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

#[test]
fn daemons_see_the_pods_of_their_nodes_and_tell_of_them() {
    let lab = lab();
    let kubectl = Kubectl::of(lab);
    team::profile_is_ready(&kubectl);
    let label = json!({"app": "excepted"});
    excepts(&kubectl, &label);
    let bound = json!({"aadpodidbinding": "checkout"});
    kubectl.apply(&pod(TEAM, "bound", "node-0", bound));
    kubectl.apply(&pod(TEAM, "excepted", OTHER_NODE, label));
    let ready = [
        "pod/bound",
        "pod/excepted",
        "--for=condition=Ready",
        "--timeout=60s",
    ];
    kubectl.run(&[&["--namespace", TEAM, "wait"][..], &ready].concat());
    let answer = asks(lab, "bound", TOKEN_URL);
    assert!(answer.contains("\"access_token\""), "{answer}");
    let of_profile = format!("{TOKEN_URL}&client_id={}", team::client_id(&kubectl));
    let answer = asks(lab, "excepted", &of_profile);
    assert!(answer.contains("\"error\""), "{answer}");
    wait_until("the daemon tells of the pod that it refused", || {
        let selector = "--field-selector=involvedObject.name=excepted";
        let events = kubectl.json(&["--namespace", TEAM, "get", "events", selector]);
        let mut events = events["items"].as_array().unwrap().iter();
        events.any(|event| event["reportingComponent"] == "podid-nmi")
    });
    for (resource, verbs) in [("pods", &["list", "watch"][..]), ("events", &["create"])] {
        let calls = calls(lab, resource);
        for (verb, name, allowed) in &calls {
            assert!(
                name.starts_with("system:node:node-"),
                "{verb} {resource} as {name}"
            );
            assert!(allowed, "{verb} {resource} as {name}");
        }
        for wanted in verbs {
            let mut of_verb = calls.iter().filter(|(verb, _, _)| verb == wanted);
            assert!(of_verb.next().is_some(), "no {wanted} of {resource}");
        }
    }
}

#[tokio::test]
async fn with_a_stolen_token_nothing_succeeds_but_what_the_daemon_reads_of_its_node() {
    let theft = theft().await;
    let own = format!("system:node:{}", theft.node);
    let other = format!("system:node:{OTHER_NODE}");
    for read in attempts::daemons_own_reads() {
        let (status, said) = read.answer(&theft.thief).await;
        assert_eq!(status, 200, "{read}: {said}");
    }
    let of_node = |node: &str| format!("?fieldSelector=spec.nodeName%3D{node}");
    let (near, far) = (of_node(&theft.node), of_node(OTHER_NODE));
    let (status, said) = list_pods(&near)
        .impersonating(&own)
        .answer(&theft.thief)
        .await;
    assert_eq!(status, 200, "{said}");
    let listed = names(&said);
    assert!(listed.iter().any(|name| name == "shop"), "{listed:?}");
    assert!(!listed.iter().any(|name| name == "far"), "{listed:?}");

    let mut tried = attempts::all(&theft.space.name);
    let as_own = attempts::all(&theft.space.name).into_iter();
    tried.extend(
        as_own
            .filter(Attempt::is_in_own_name)
            .map(|attempt| attempt.impersonating(&own)),
    );
    let one = |name: &str| {
        let path = format!("api/v1/namespaces/{}/pods/{name}", theft.space.name);
        Attempt::new("one", "GET", path, None)
    };
    let watch = "&watch=1&timeoutSeconds=1";
    let reads = || {
        [
            list_pods(""),
            list_pods(&far),
            list_pods(&format!("{far}{watch}")),
            list_pods(&format!("?{watch}")),
            list_pods("?fieldSelector=spec.nodeName!%3Dnone"),
            list_pods("?fieldSelector=metadata.name%3Dfar"),
            one("far"),
            one("shop"),
        ]
    };
    tried.extend(reads());
    tried.extend(reads().map(|read| read.impersonating(&own)));
    tried.extend(reads().map(|read| read.impersonating(&other)));
    tried.extend([list_pods(&near), list_pods(&near).impersonating(&other)]);
    let near = || list_pods(&near).impersonating(&own);
    tried.extend([
        near().claiming("impersonate-group", "system:masters"),
        near().claiming("impersonate-uid", "u"),
        near().claiming("impersonate-extra-a", "b"),
    ]);
    let mut succeeded = Vec::new();
    for attempt in &tried {
        if !attempt.is_refused(&theft.thief).await {
            succeeded.push(attempt.to_string());
        }
    }
    assert_eq!(succeeded, [""; 0], "of {} attempts", tried.len());
    assert!(tried.len() > 300, "{}", tried.len());
    theft.tidy_up().await;
}

#[tokio::test]
async fn a_daemon_as_its_node_tells_of_the_pods_that_are_there_and_of_nothing_else() {
    let theft = theft().await;
    let own = format!("system:node:{}", theft.node);
    let write = |what: &str, event: Value| theft.write(what, event);
    // The API server has the policy, and knows on which node the pod is.
    eventually("an Event of the daemon", async || {
        let (status, _) = write("its own", theft.event())
            .impersonating(&own)
            .answer(&theft.thief)
            .await;
        (status == 201).then_some(())
    })
    .await;
    let far = theft.changed("/regarding/name", Some(json!("far")));
    let lie = write("about a pod elsewhere", far).impersonating(&own);
    let said = eventually("the policy", async || {
        let (status, said) = lie.answer(&theft.thief).await;
        (status == 403).then_some(said)
    })
    .await;
    assert!(said.contains("about pods of its own node only"), "{said}");

    let mut lies = theft.lies();
    for name in ["far", "no-such-pod"] {
        let lie = theft.changed("/regarding/name", Some(json!(name)));
        lies.push((name.to_owned(), lie));
    }
    let nobody = theft.changed("/regarding/name", None);
    lies.push(("no name".to_owned(), nobody));
    for (what, lie) in lies {
        let (status, said) = write(&what, lie)
            .impersonating(&own)
            .answer(&theft.thief)
            .await;
        // Some the API server refuses by itself.
        assert!(matches!(status, 403 | 422), "{what}: {status} {said}");
    }
    let other = format!("system:node:{OTHER_NODE}");
    let mine = || write("", theft.event());
    for refused in [
        mine(),
        mine().impersonating(&other),
        mine()
            .impersonating(&own)
            .claiming("impersonate-group", "system:nodes"),
        mine().impersonating(&own).claiming("impersonate-uid", "u"),
        mine()
            .impersonating(&own)
            .claiming("impersonate-extra-a", "b"),
    ] {
        assert!(refused.is_refused(&theft.thief).await, "{refused}");
    }
    let kubelets = theft.changed("/reportingController", Some(json!("kubelet")));
    kubelets_are_left_alone(&theft.space, write("a kubelet's", kubelets), &other).await;
    theft.tidy_up().await;
}

/// An administrator may claim what the API server says of a kubelet with a client certificate.
async fn kubelets_are_left_alone(admin: &Space, event: Attempt, node: &str) {
    let kubelet = event
        .impersonating(node)
        .claiming("impersonate-group", "system:nodes")
        .claiming(
            "impersonate-extra-authentication.kubernetes.io%2fcredential-id",
            "X509SHA256=00",
        );
    let (status, said) = kubelet.answer(admin).await;
    assert_eq!(status, 201, "{kubelet}: {said}");
}
