//! The component act-as-node: the daemons do their work as their nodes, and a stolen token is good for one node.

mod scene;

use podid_tests::kubectl::Kubectl;
use podid_tests::node::TOKEN_URL;
use podid_tests::workloads::team::{self, TEAM};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use super::Theft;
use super::attempts::{self, Attempt, list_pods};
use crate::fixture::{Space, eventually};
use scene::{OTHER_NODE, asks, calls, excepts, lab, names, pod, theft};

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

/// The query for the pods of a node.
fn of_node(node: &str) -> String {
    format!("?fieldSelector=spec.nodeName%3D{node}")
}

/// Pods that are not those of the node, in each way in which they can be read, and the node's by name.
fn reads_of_pods(namespace: &str) -> impl Iterator<Item = Attempt> {
    let far = of_node(OTHER_NODE);
    let watch = "&watch=1&timeoutSeconds=1";
    let lists = [
        String::new(),
        format!("?{watch}"),
        format!("{far}{watch}"),
        far,
        "?fieldSelector=spec.nodeName!%3Dnone".to_owned(),
        "?fieldSelector=metadata.name%3Dfar".to_owned(),
    ];
    let path = format!("api/v1/namespaces/{namespace}/pods");
    let named = ["", "/far", "/shop", "?fieldSelector=metadata.name%3Dfar"]
        .map(|end| Attempt::new("", "GET", format!("{path}{end}"), None));
    lists
        .map(|query| list_pods(&query))
        .into_iter()
        .chain(named)
}

/// The same, with more that the API server could be told about the node.
fn disguises(attempt: &Attempt) -> [Attempt; 3] {
    [
        ("impersonate-group", "system:nodes"),
        ("impersonate-uid", "u"),
        ("impersonate-extra-a", "b"),
    ]
    .map(|(header, value)| attempt.clone().claiming(header, value))
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
    let near = of_node(&theft.node);
    let (status, said) = list_pods(&near)
        .impersonating(&own)
        .answer(&theft.thief)
        .await;
    assert_eq!(status, 200, "{said}");
    let listed = names(&said);
    assert!(listed.iter().any(|name| name == "shop"), "{listed:?}");
    assert!(!listed.iter().any(|name| name == "far"), "{listed:?}");

    let mut tried = attempts::all(&theft.space.name);
    tried.extend(reads_of_pods(&theft.space.name));
    let as_own = attempts::all(&theft.space.name).into_iter();
    let as_own = as_own.chain(reads_of_pods(&theft.space.name));
    let as_own = as_own.filter(Attempt::is_in_own_name);
    tried.extend(as_own.map(|attempt| attempt.impersonating(&own)));
    tried.extend(reads_of_pods(&theft.space.name).map(|read| read.impersonating(&other)));
    tried.extend([list_pods(&near), list_pods(&near).impersonating(&other)]);
    tried.extend(disguises(&list_pods(&near).impersonating(&own)));
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
    let disguised = disguises(&mine().impersonating(&own));
    for refused in [mine(), mine().impersonating(&other)]
        .iter()
        .chain(&disguised)
    {
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

/// The words by which the daemon knows what a person can do.
#[tokio::test]
async fn the_api_server_names_the_way_of_impersonation_that_it_refuses() {
    let with = theft().await;
    let without = Theft::commit().await;
    let other = format!("system:node:{OTHER_NODE}");
    let own = format!("system:node:{}", without.node);
    for (theft, node, words) in [
        (&with, &other, "cannot impersonate-on:arbitrary-node:list"),
        (&without, &own, "cannot impersonate-on:associated-node:list"),
    ] {
        let attempt = list_pods(&of_node(&theft.node)).impersonating(node);
        let (status, said) = attempt.answer(&theft.thief).await;
        assert!(status == 403 && said.contains(words), "{status} {said}");
        theft.tidy_up().await;
    }
}
