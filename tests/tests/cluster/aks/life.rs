//! The operator at work with the rights of the page and no others.

use std::collections::BTreeSet;

use podid_lab::Lab;
use podid_lab::layout::{RESOURCE_GROUP, SUBSCRIPTION};
use podid_tests::azure;
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use super::reader::{Reader, STORES};
use super::stage::{self, CUSTOM, LEGACY, TEAM, allows_access};

#[test]
fn the_operator_does_all_its_work_with_the_four_roles_and_needs_each_of_their_actions() {
    let reader = Reader::new();
    let calls = reader.prepares_azure();
    let roles = reader.roles(&calls);
    let lab = stage::up("aks", &reader, &calls, &[]);
    let kubectl = Kubectl::of(&lab);
    apply_more(&kubectl);
    for pod in pods() {
        kubectl.apply(&pod);
    }
    wait_until("six identities of pods are assigned", || {
        assigned(&kubectl) == 6
    });
    assert!(granted(&lab) >= 4);
    kubectl.run(&[
        "--namespace",
        TEAM,
        "delete",
        "pods,azureidentities",
        "--all",
    ]);
    kubectl.run(&[
        "--namespace",
        TEAM,
        "delete",
        "podidentityprofiles",
        "--all",
        "--timeout=60s",
    ]);
    let (needed, refused) = needed(&lab);
    assert_eq!(refused, Vec::<Value>::new());
    let granted = roles
        .iter()
        .flat_map(|role| role["Actions"].as_array().unwrap());
    let granted: BTreeSet<&str> = granted.filter_map(Value::as_str).collect();
    assert_eq!(granted, needed.iter().map(String::as_str).collect());
}

/// A profile that adopts an identity, a hand-written AzureIdentity, and a class that names a custom role.
fn apply_more(kubectl: &Kubectl<'_>) {
    let stores = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{STORES}");
    allows_access(kubectl, CUSTOM, &stores);
    let id = |name: &str| {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        )
    };
    kubectl.apply(&json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "adopted", "namespace": TEAM},
        "spec": {
            "className": "standard",
            "identity": {"resourceId": id("adopted")},
            "access": [{"role": "Storage Blob Data Reader", "scope": stores}],
        },
    }));
    wait_until("the class with the custom role is ready", || {
        let class = kubectl.json(&["get", "podidentityclass/standard"]);
        let conditions = class["status"]["conditions"]
            .as_array()
            .expect("conditions");
        let mut ready = conditions
            .iter()
            .filter(|condition| condition["type"] == "Ready");
        ready.all(|ready| {
            ready["observedGeneration"] == class["metadata"]["generation"]
                && ready["status"] == "True"
        })
    });
    let ready = [
        "wait",
        "podidentityprofile/adopted",
        "--for=condition=Ready",
        "--timeout=60s",
    ];
    kubectl.run(&[&["--namespace", TEAM][..], &ready].concat());
    for (kind, spec) in [
        (
            "AzureIdentity",
            json!({"type": 0, "resourceID": id("legacy"), "clientID": LEGACY}),
        ),
        (
            "AzureIdentityBinding",
            json!({"azureIdentity": "legacy", "selector": "legacy"}),
        ),
    ] {
        kubectl.apply(&json!({
            "apiVersion": "aadpodidentity.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": "legacy", "namespace": TEAM},
            "spec": spec,
        }));
    }
}

/// A pod for each of the three identities on each of the two nodes.
fn pods() -> Vec<Value> {
    let identities = ["checkout", "adopted", "legacy"];
    let pod = |node: &str, identity: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{identity}-{node}"),
                "namespace": TEAM,
                "labels": {"aadpodidbinding": identity},
            },
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "app",
                    "image": "registry.example.com/app:1",
                    "securityContext": {"capabilities": {"drop": ["NET_RAW"]}},
                }],
            },
        })
    };
    let of_node = |node| identities.map(|identity| pod(node, identity));
    ["node-0", "node-1"].map(of_node).concat()
}

/// How many identities are assigned to pods.
fn assigned(kubectl: &Kubectl<'_>) -> usize {
    let all = kubectl.json(&["--namespace", TEAM, "get", "azureassignedidentities"]);
    let all = all["items"].as_array().expect("a list");
    all.iter()
        .filter(|one| one["status"]["status"] == "Assigned")
        .count()
}

/// Role assignments that are not of the operator's four roles.
fn granted(lab: &Lab) -> usize {
    let state = azure::admin(lab, "GET", "/state");
    let all = state["roleAssignments"].as_array().expect("a list").iter();
    all.filter_map(|one| one["role"].as_str())
        .filter(|role| !role.starts_with("podid "))
        .count()
}

/// The actions of ARM that the operator has needed, and its calls that were refused for want of one.
fn needed(lab: &Lab) -> (BTreeSet<String>, Vec<Value>) {
    let log = azure::admin(lab, "GET", "/calls?operation=arm.*");
    let calls = log["calls"].as_array().expect("calls");
    let actions = calls
        .iter()
        .filter_map(|call| call["actions"].as_array())
        .flatten();
    let actions = actions.filter_map(|action| Some(action.as_str()?.to_owned()));
    let refused = calls.iter().filter(|call| call["status"] == 403);
    (actions.collect(), refused.cloned().collect())
}
