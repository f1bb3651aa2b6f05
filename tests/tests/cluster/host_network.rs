//! Which pods a class keeps off the network of their node.

use std::collections::BTreeMap;

use kube::api::{DeleteParams, Patch, PatchParams};
use podid_core::class::Neighbour;
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually};
use crate::net_raw::templates::{template, workloads};

/// A pod that drops all it can, on the network of its node or not.
fn pod(shares: Option<bool>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "x"}},
        "spec": {"containers": [{
            "name": "app", "image": "x", "securityContext": {"capabilities": {"drop": ["ALL"]}},
        }]},
    });
    if let Some(shares) = shares {
        pod["spec"]["hostNetwork"] = shares.into();
    }
    pod
}

async fn refusal(space: &Space, pod: &Value) -> Option<String> {
    space.create("Pod", pod.clone(), true).await.err()
}

/// Makes a class with these limits.
async fn class(space: &Space, limits: Value) -> PodIdentityClass {
    let spec = cases::class(json!({"limits": limits}));
    let name = space.class("class", spec.clone()).await;
    PodIdentityClass::new(&name, serde_json::from_value(spec).unwrap())
}

async fn remove(space: &Space, class: &PodIdentityClass) {
    let name = class.metadata.name.as_deref().unwrap();
    space.remove_class(name).await;
}

/// Waits until the API server's policies know the classes made so far: they learn of them in the order of their making,
/// so a last one is made, waited for and removed.
async fn policies_know_classes() {
    let space = Space::new("host-network-last").await;
    let last = class(&space, json!({"namespaces": {"names": [space.name]}})).await;
    let refused = async || refusal(&space, &pod(Some(true))).await;
    let path = &workloads(&space, &template(&pod(Some(true))))[0];
    let warned = async || space.warning(&path.0, &path.1).await;
    eventually("the policy knowing the classes", refused).await;
    eventually("the policy of templates knowing the classes", warned).await;
    remove(&space, &last).await;
}

#[tokio::test]
async fn a_refusal_says_whose_rule_it_is_and_what_mends_it() {
    let space = Space::new("host-network").await;
    let class = class(&space, json!({"namespaces": {"names": [space.name]}})).await;
    let name = class.metadata.name.clone().unwrap();
    let refused = async || refusal(&space, &pod(Some(true))).await;
    let said = eventually("the policy knowing the class", refused).await;
    for words in [
        &format!(
            "pod p: class {name} keeps pods of namespace {} off",
            space.name
        ),
        "every identity of the node",
        "remove hostNetwork from the spec of the pod",
        "limits.allowHostNetwork: true",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let classes = space.api("PodIdentityClass");
    let allow = Patch::Merge(json!({"spec": {"limits": {"allowHostNetwork": true}}}));
    classes
        .patch(&name, &PatchParams::default(), &allow)
        .await
        .unwrap();
    eventually("the class allowing it", async || {
        refused().await.is_none().then_some(())
    })
    .await;
    let forbid = Patch::Merge(json!({"spec": {"limits": {"allowHostNetwork": null}}}));
    classes
        .patch(&name, &PatchParams::default(), &forbid)
        .await
        .unwrap();
    eventually("the class forbidding it again", refused).await;
    classes
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    eventually("the policy forgetting the class", async || {
        refused().await.is_none().then_some(())
    })
    .await;
}

/// Limits of a class, given the name of a namespace and the value of its label `team`.
const LIMITS: [fn(&str, &str) -> Value; 11] = [
    |_, _| json!({}),
    |name, _| json!({"namespaces": {"names": [name]}}),
    |name, _| json!({"namespaces": {"names": ["elsewhere", name]}, "allowHostNetwork": false}),
    |name, _| json!({"namespaces": {"names": [name]}, "allowHostNetwork": true}),
    |_, _| json!({"namespaces": {"names": ["*"]}}),
    |name, _| json!({"namespaces": {"names": ["*", name]}}),
    |_, _| json!({"namespaces": {"names": ["elsewhere"]}}),
    |_, team| json!({"namespaces": {"matchLabels": {"team": team}}}),
    |_, team| json!({"namespaces": {"matchLabels": {"team": team, "other": "x"}}}),
    |_, team| json!({"namespaces": {"matchLabels": {"team": team}}, "allowHostNetwork": true}),
    |_, _| json!({"namespaces": {"matchLabels": {}}}),
];

/// Pods, each with whether it is on the network of a node that podid serves.
fn pods() -> [(Value, bool); 5] {
    let (mut windows, mut bound) = (pod(Some(true)), pod(Some(true)));
    windows["spec"] = json!({
        "os": {"name": "windows"}, "hostNetwork": true, "containers": [{"name": "app", "image": "x"}],
    });
    bound["metadata"]["labels"] = json!({"aadpodidbinding": "of-no-profile"});
    [
        (pod(None), false),
        (pod(Some(false)), false),
        (pod(Some(true)), true),
        (windows, false),
        (bound, true),
    ]
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_class_and_pod() {
    let (mut admitted, mut refused) = (0, 0);
    for limits in LIMITS {
        let team = format!("team-{}", uuid::Uuid::new_v4());
        let space = Space::labelled("host-network", ("team", &team)).await;
        let class = class(&space, limits(&space.name, &team)).await;
        policies_know_classes().await;
        let says = convert::class(&class);
        let neighbour = Neighbour {
            namespace: &space.name,
            namespace_labels: &[("team".to_owned(), team)].into(),
            node_selector: &BTreeMap::new(),
        };
        let forbids = says.forbids_host_network(&neighbour, "podid-system");
        for (pod, shares) in pods() {
            let said = refusal(&space, &pod).await;
            let what = format!("{:?}: {pod}: {said:?}", says.limits);
            assert_eq!(said.is_some(), forbids && shares, "{what}");
            for (path, object) in workloads(&space, &template(&pod)) {
                let warned = space.warning(&path, &object).await;
                let warned =
                    warned.map(|said| said.contains("would refuse those of this template"));
                assert_eq!(
                    warned,
                    (forbids && shares).then_some(true),
                    "{path}: {what}"
                );
            }
            match said {
                Some(_) => refused += 1,
                None => admitted += 1,
            }
        }
        remove(&space, &class).await;
    }
    assert!(admitted >= 40 && refused >= 8, "{admitted} {refused}");
}

#[tokio::test]
async fn what_the_cluster_and_podid_run_is_left_alone() {
    for system in ["kube-system", "podid-system"] {
        let space = Space::new("host-network").await;
        let class = class(&space, json!({"namespaces": {"names": [system]}})).await;
        policies_know_classes().await;
        let space = Space {
            client: space.client.clone(),
            name: system.to_owned(),
        };
        assert_eq!(refusal(&space, &pod(Some(true))).await, None, "{system}");
        remove(&space, &class).await;
    }
}
