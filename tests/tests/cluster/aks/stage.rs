//! A lab whose operator has the rights that `podid azure-role` prints for the page's class.

use std::fs;
use std::path::Path;
use std::process::Command;

use podid_lab::layout::{
    ISSUER, LOCATION, NODE_GROUP, OPERATOR_ACCOUNT, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID,
    RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use podid_lab::{Lab, NodeKind, UpOptions, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::programs::{self, repository};
use serde_json::{Value, json};

use super::az::{self, Call};
use super::reader::{Reader, STORES};
use crate::fixture::options;

pub(super) const TEAM: &str = "payments";
/// A custom role, which a class can only name by its name.
pub(super) const CUSTOM: &str = "Report readers";
/// Client id of the identity of the hand-written AzureIdentity.
pub(super) const LEGACY: &str = "c11e2700-0000-4000-8000-0000000000aa";

/// A lab with class and profile of the page, in whose Azure others have these role assignments.
pub(super) fn up(name: &str, reader: &Reader, calls: &[Call], of_others: &[Value]) -> Lab {
    reader.writes_class_and_profile();
    let access = reader.asks_for_rights();
    assert_eq!(places(&access["assignments"]), assigned(calls));
    let lab = lab_with(name, reader, &seed(&access, of_others));
    install::programs(
        &lab,
        &programs::folder(),
        &repository().join("kustomize/lab"),
    )
    .unwrap();
    Kubectl::of(&lab).run(&["create", "namespace", TEAM]);
    apply_class_and_profile(reader, &lab);
    lab
}

/// Adds a role to those that the class allows on a scope.
pub(super) fn allows_access(kubectl: &Kubectl<'_>, role: &str, scope: &str) {
    let patch = json!([{"op": "add", "path": "/spec/limits/access/-",
        "value": {"role": role, "scopes": [scope]}}]);
    let class = "podidentityclass/standard";
    kubectl.run(&["patch", class, "--type=json", "--patch", &patch.to_string()]);
}

/// Role and scope of each assignment that the command line prints.
fn places(assignments: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = assignments.as_array().expect("a list").iter();
    sorted(all.map(|one| (text(&one["role"]), text(&one["scope"]))))
}

/// Role and scope of each assignment that the page makes.
fn assigned(calls: &[Call]) -> Vec<(String, String)> {
    let made = calls
        .iter()
        .filter(|call| call.is("role assignment create"));
    sorted(made.map(|call| {
        assert_eq!(call.flag("--assignee-object-id"), Some(az::OPERATOR));
        let flag = |name| call.flag(name).expect("a flag").to_owned();
        (flag("--role"), flag("--scope"))
    }))
}

/// Without letter case in scopes, as Azure has it.
fn sorted(places: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut all: Vec<_> = places
        .map(|(role, scope)| (role, scope.to_lowercase()))
        .collect();
    all.sort();
    all
}

/// An Azure in which the operator has these rights.
fn seed(access: &Value, of_others: &[Value]) -> Value {
    let definition = |role: &Value| {
        json!({
            "roleName": role["Name"],
            "assignableScopes": role["AssignableScopes"],
            "permissions": [{"actions": role["Actions"], "notActions": role["NotActions"]}],
        })
    };
    let list = |name: &str| access[name].as_array().expect("a list").iter();
    let mut definitions: Vec<Value> = list("definitions").map(definition).collect();
    definitions.push(json!({"roleName": CUSTOM}));
    let mut assignments: Vec<Value> = list("assignments").map(of_operator).collect();
    assignments.extend_from_slice(of_others);
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
        "roleAssignments": assignments,
    })
}

/// A printed assignment, as a seed has it.
fn of_operator(printed: &Value) -> Value {
    let mut assignment = printed.clone();
    assignment["principal"] = json!(OPERATOR_APPLICATION);
    let grants = printed["role"] == "podid grants";
    assert_eq!(grants, printed["condition"].is_string(), "{printed}");
    assignment
}

fn lab_with(name: &str, reader: &Reader, seed: &Value) -> Lab {
    let file = reader.path().join("seed.json");
    fs::write(&file, seed.to_string()).unwrap();
    Lab::up(UpOptions {
        nodes: vec![NodeKind::Uniform, NodeKind::Vm],
        seed: Some(file),
        ..options(name)
    })
    .unwrap()
}

/// Applies what the page has the reader write, and types what it has them type then.
fn apply_class_and_profile(reader: &Reader, lab: &Lab) {
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
