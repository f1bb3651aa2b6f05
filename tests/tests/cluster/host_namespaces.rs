//! Which pods a class keeps out of the network and the processes of their node.

use kube::api::{Patch, PatchParams};
use podid_core::class::Neighbour;
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually};
use crate::net_raw::templates::{template, workloads};

/// A pod that drops all it can, with this in its spec.
fn pod(fields: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "x"}},
        "spec": {"containers": [{
            "name": "app", "image": "x", "securityContext": {"capabilities": {"drop": ["ALL"]}},
        }]},
    });
    for (field, value) in fields.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn on_the_nodes_network() -> Value {
    pod(&json!({"hostNetwork": true}))
}

async fn refusal(space: &Space, pod: &Value) -> Option<String> {
    space.create("Pod", pod.clone(), true).await.err()
}

/// Makes a class with these fields.
async fn class(space: &Space, fields: Value) -> PodIdentityClass {
    let spec = cases::class(fields);
    let name = space.class("class", spec.clone()).await;
    PodIdentityClass::new(&name, serde_json::from_value(spec).unwrap())
}

/// Fields of a class that names one namespace.
fn naming(namespace: &str) -> Value {
    json!({"limits": {"namespaces": {"names": [namespace]}}})
}

async fn remove(space: &Space, class: &PodIdentityClass) {
    let name = class.metadata.name.as_deref().unwrap();
    space.remove_class(name).await;
}

/// Waits until the API server's policies know the classes made so far: they learn of them in the order of their making,
/// so a last one is made, waited for and removed.
async fn policies_know_classes() {
    let space = Space::new("host-namespaces-last").await;
    let last = class(&space, naming(&space.name)).await;
    let refused = async || refusal(&space, &on_the_nodes_network()).await;
    let path = &workloads(&space, &template(&on_the_nodes_network()))[0];
    let warned = async || space.warning(&path.0, &path.1).await;
    eventually("the policy knowing the classes", refused).await;
    eventually("the policy of templates knowing the classes", warned).await;
    remove(&space, &last).await;
}

#[tokio::test]
async fn a_refusal_says_whose_rule_it_is_and_what_mends_it() {
    let space = Space::new("host-namespaces").await;
    let class = class(&space, naming(&space.name)).await;
    let name = class.metadata.name.clone().unwrap();
    let refused = async || refusal(&space, &on_the_nodes_network()).await;
    let said = eventually("the policy knowing the class", refused).await;
    for words in [
        &format!(
            "pod p: class {name} keeps pods of namespace {} out of",
            space.name
        ),
        "the pod sets hostNetwork: true",
        "remove hostNetwork from the spec of the pod",
        &format!("ask the owner of class {name} for an exception (neighbours.exceptNamespaces,"),
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let classes = space.api("PodIdentityClass");
    let allow = Patch::Merge(json!({"spec": {"limits": {"allowHostNamespaces": true}}}));
    classes
        .patch(&name, &PatchParams::default(), &allow)
        .await
        .unwrap();
    eventually("the class allowing it", async || {
        refused().await.is_none().then_some(())
    })
    .await;
    let forbid = Patch::Merge(json!({"spec": {"limits": {"allowHostNamespaces": null}}}));
    classes
        .patch(&name, &PatchParams::default(), &forbid)
        .await
        .unwrap();
    eventually("the class forbidding it again", refused).await;
    remove(&space, &class).await;
    eventually("the policy forgetting the class", async || {
        refused().await.is_none().then_some(())
    })
    .await;
}

/// Fields of a class, given the name of a namespace and the value of its label `team`.
const CLASSES: [fn(&str, &str) -> Value; 15] = [
    |_, _| json!({"limits": {}}),
    |name, _| json!({"limits": {"namespaces": {"names": [name]}}}),
    |name, _| json!({"limits": {"namespaces": {"names": ["elsewhere", name]}, "allowHostNamespaces": false}}),
    |name, _| json!({"limits": {"namespaces": {"names": [name]}, "allowHostNamespaces": true}}),
    |_, _| json!({"limits": {"namespaces": {"names": ["*"]}}}),
    |name, _| json!({"limits": {"namespaces": {"names": ["*", name]}}}),
    |_, _| json!({"limits": {"namespaces": {"names": ["elsewhere"]}}}),
    |_, team| json!({"limits": {"namespaces": {"matchLabels": {"team": team}}}}),
    |_, team| json!({"limits": {"namespaces": {"matchLabels": {"team": team, "other": "x"}}}}),
    |_, team| json!({"limits": {"namespaces": {"matchLabels": {"team": team}}, "allowHostNamespaces": true}}),
    |_, _| json!({"limits": {"namespaces": {"matchLabels": {}}}}),
    |name, _| {
        json!({
            "limits": {"namespaces": {"names": [name]}},
            "neighbours": {"rule": "Ignore", "exceptNamespaces": [name]},
        })
    },
    |name, _| {
        json!({
            "limits": {"namespaces": {"names": [name]}},
            "neighbours": {"rule": "Audit", "exceptNamespaces": ["other"], "exceptNodes": {"pool": "batch"}},
        })
    },
    |name, _| {
        json!({
            "limits": {"namespaces": {"names": [name]}},
            "neighbours": {"rule": "Ignore", "scope": "Nodes"},
        })
    },
    |name, _| {
        json!({
            "limits": {"namespaces": {"names": [name]}},
            "neighbours": {"rule": "Enforce", "exceptNodes": {"pool": "batch"}},
        })
    },
];

/// Pods, each with whether it shares something of a node that podid serves.
fn pods() -> [(Value, bool); 9] {
    let mut bound = on_the_nodes_network();
    bound["metadata"]["labels"] = json!({"aadpodidbinding": "of-no-profile"});
    // It may not say what it drops.
    let mut windows = on_the_nodes_network();
    windows["spec"]["os"] = json!({"name": "windows"});
    windows["spec"]["containers"][0]["securityContext"].take();
    let but = |fields: Value| pod(&fields);
    [
        (but(json!({})), false),
        (but(json!({"hostNetwork": false, "hostPID": false})), false),
        (but(json!({"hostIPC": true})), false),
        (on_the_nodes_network(), true),
        (but(json!({"hostPID": true})), true),
        (but(json!({"hostNetwork": true, "hostPID": true})), true),
        (
            but(json!({"hostNetwork": true, "nodeSelector": {"pool": "batch"}})),
            true,
        ),
        (bound, true),
        (windows, false),
    ]
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_class_and_pod() {
    let (mut admitted, mut refused) = (0, 0);
    for fields in CLASSES {
        let team = format!("team-{}", uuid::Uuid::new_v4());
        let space = Space::labelled("host-namespaces", ("team", &team)).await;
        let class = class(&space, fields(&space.name, &team)).await;
        policies_know_classes().await;
        let says = convert::class(&class);
        for (pod, shares) in pods() {
            let selector = serde_json::from_value(pod["spec"]["nodeSelector"].clone());
            let neighbour = Neighbour {
                namespace: &space.name,
                namespace_labels: &[("team".to_owned(), team.clone())].into(),
                node_selector: &selector.unwrap_or_default(),
            };
            let forbids = says.forbids_host_namespaces(&neighbour, "podid-system") && shares;
            let said = refusal(&space, &pod).await;
            let what = format!("{says:?}: {pod}: {said:?}");
            assert_eq!(said.is_some(), forbids, "{what}");
            for (path, object) in workloads(&space, &template(&pod)) {
                let warned = space.warning(&path, &object).await.unwrap_or_default();
                assert_eq!(warned.contains("would refuse"), forbids, "{path}: {what}");
            }
            match said {
                Some(_) => refused += 1,
                None => admitted += 1,
            }
        }
        remove(&space, &class).await;
    }
    assert!(admitted >= 70 && refused >= 24, "{admitted} {refused}");
}

#[tokio::test]
async fn what_the_cluster_and_podid_run_is_left_alone() {
    for system in ["kube-system", "podid-system"] {
        let space = Space::new("host-namespaces").await;
        let class = class(&space, naming(system)).await;
        policies_know_classes().await;
        let space = Space {
            client: space.client.clone(),
            name: system.to_owned(),
        };
        let shares = on_the_nodes_network();
        assert_eq!(refusal(&space, &shares).await, None, "{system}");
        for (path, object) in workloads(&space, &template(&shares)) {
            assert_eq!(space.warning(&path, &object).await, None, "{path}");
        }
        remove(&space, &class).await;
    }
}
