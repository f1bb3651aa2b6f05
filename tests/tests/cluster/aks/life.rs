//! The operator at work with the rights of the page and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use podid_lab::layout::{
    ISSUER, LOCATION, NODE_GROUP, OPERATOR_ACCOUNT, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID,
    RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use podid_lab::{Lab, NodeKind, UpOptions, install};
use podid_tests::azure;
use podid_tests::kubectl::Kubectl;
use podid_tests::programs::{self, repository};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use super::az::Call;
use super::reader::{Reader, STORES};
use crate::fixture::options;

const TEAM: &str = "payments";
/// A custom role, which a class can only name by its name.
const CUSTOM: &str = "Report readers";
/// Client id of the identity of the hand-written AzureIdentity.
const LEGACY: &str = "c11e2700-0000-4000-8000-0000000000aa";

#[test]
fn the_operator_does_all_its_work_with_the_four_roles_and_needs_each_of_their_actions() {
    let reader = Reader::new();
    let calls = reader.prepares_azure();
    let roles = reader.roles(&calls);
    let lab = lab_with(&reader, &seed(&roles, &calls));
    install::programs(
        &lab,
        &programs::folder(),
        &repository().join("kustomize/lab"),
    )
    .unwrap();
    let kubectl = Kubectl::of(&lab);
    kubectl.run(&["create", "namespace", TEAM]);
    apply_class_and_profile(&reader, &lab);
    apply_more(&kubectl);
    for pod in pods() {
        kubectl.apply(&pod);
    }
    wait_until("six identities of pods are assigned", || {
        assigned(&kubectl) == 6
    });
    assert_eq!(outside_of_conditions(&lab, &calls), Vec::<String>::new());
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

/// An Azure in which the operator has the rights that the page gives it.
fn seed(roles: &[Value], calls: &[Call]) -> Value {
    let definition = |role: &Value| {
        json!({
            "roleName": role["Name"],
            "assignableScopes": role["AssignableScopes"],
            "permissions": [{"actions": role["Actions"], "notActions": role["NotActions"]}],
        })
    };
    let mut definitions: Vec<Value> = roles.iter().map(definition).collect();
    definitions.push(json!({"roleName": CUSTOM}));
    let assignments = calls
        .iter()
        .filter(|call| call.is("role assignment create"));
    let assignment = |call: &Call| {
        assert_eq!(call.flag("--assignee-object-id"), Some(super::az::OPERATOR));
        let (role, scope) = (call.flag("--role"), call.flag("--scope"));
        json!({"role": role, "scope": scope, "principal": OPERATOR_APPLICATION})
    };
    let groups = [RESOURCE_GROUP, NODE_GROUP, STORES].map(|name| json!({"name": name}));
    json!({
        "tenantId": TENANT,
        "location": LOCATION,
        "subscriptions": [SUBSCRIPTION],
        "resourceGroups": groups,
        "applications": [{
            "name": OPERATOR_APPLICATION,
            "clientId": OPERATOR_CLIENT_ID,
            "federatedCredentials": [{
                "name": "lab",
                "issuer": ISSUER,
                "subject": OPERATOR_ACCOUNT,
                "audiences": ["api://AzureADTokenExchange"],
            }],
        }],
        "identities": [
            {"name": "adopted", "resourceGroup": RESOURCE_GROUP},
            {"name": "legacy", "resourceGroup": RESOURCE_GROUP, "clientId": LEGACY},
        ],
        "roleDefinitions": definitions,
        "roleAssignments": assignments.map(assignment).collect::<Vec<_>>(),
    })
}

fn lab_with(reader: &Reader, seed: &Value) -> Lab {
    let file = reader.path().join("seed.json");
    fs::write(&file, seed.to_string()).unwrap();
    Lab::up(UpOptions {
        nodes: vec![NodeKind::Uniform, NodeKind::Vm],
        seed: Some(file),
        ..options("aks")
    })
    .unwrap()
}

/// Applies what the page has the reader write, and types what it has them type then.
fn apply_class_and_profile(reader: &Reader, lab: &Lab) {
    reader.writes_class_and_profile();
    let fleet = reader.path().join("fleet").display().to_string();
    Kubectl::of(lab).run(&["apply", "--recursive", "--filename", &fleet]);
    let system = std::env::var("PATH").unwrap();
    let kubectl = lab.kubectl(&[]).unwrap();
    let tools = Path::new(kubectl.get_program()).parent().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{}", reader.looks())])
        .env("PATH", format!("{}:{system}", tools.display()))
        .env("KUBECONFIG", lab.kubeconfig())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A profile that adopts an identity, a hand-written AzureIdentity, and a class that names a custom role.
fn apply_more(kubectl: &Kubectl<'_>) {
    let stores = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{STORES}");
    let custom = json!([{"op": "add", "path": "/spec/limits/access/-",
        "value": {"role": CUSTOM, "scopes": [&stores]}}]);
    let patch = [
        "patch",
        "podidentityclass/standard",
        "--type=json",
        "--patch",
    ];
    kubectl.run(&[&patch[..], &[&custom.to_string()]].concat());
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

/// Role assignments of the operator's that the conditions of the page would refuse; the simulated Azure has no conditions.
fn outside_of_conditions(lab: &Lab, calls: &[Call]) -> Vec<String> {
    let state = azure::admin(lab, "GET", "/state");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = state["roleAssignments"].as_array().expect("a list").iter();
    let granted = all.map(|one| (text(&one["role"]), text(&one["scope"])));
    let granted: Vec<_> = granted
        .filter(|(role, _)| !role.starts_with("podid "))
        .collect();
    assert!(granted.len() >= 4, "{granted:?}");
    let allowed = |role: &str, scope: &str| {
        [RESOURCE_GROUP, NODE_GROUP, STORES].iter().any(|group| {
            let here = scope
                .to_lowercase()
                .contains(&format!("/resourcegroups/{}", group.to_lowercase()));
            let lists = super::conditions(calls, group)
                .into_iter()
                .map(super::lists_of);
            here && lists
                .flatten()
                .any(|list| list.is_superset(&super::ids([role])))
        })
    };
    let outside = granted.iter().filter(|(role, scope)| !allowed(role, scope));
    outside
        .map(|(role, scope)| format!("{role} on {scope}"))
        .collect()
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
