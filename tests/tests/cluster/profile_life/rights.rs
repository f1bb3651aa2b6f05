//! The operator has the rights that its calls need, and no others.

use std::collections::BTreeSet;
use std::fs;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, vault};
use crate::fixture::eventually;
use crate::stage::VM_NODES;

const OPERATOR: &str = "system:serviceaccount:podid-system:podid-operator";

/// Rights that no call of the lab's operator shows, each with the reason.
const UNSEEN: [&str; 6] = [
    // A node is read before its taint is changed, and no daemon of this lab makes that necessary.
    "get /nodes",
    // The API server checks it where the admission plugin OwnerReferencesPermissionEnforcement is on.
    "update podid.dev/podidentityprofiles/finalizers",
    // Written when a VM or scale set is gone from the cluster with all its nodes.
    "delete /configmaps",
    // For taints, where node daemons run; none does in this lab.
    "patch /nodes",
    // What server-side apply needs beside patch: there is no such call of its own.
    "create aadpodidentity.k8s.io/*",
    "create /configmaps",
];

/// A call, as `verb group/resource`.
fn call(verb: &str, group: &str, resource: &str) -> String {
    format!("{verb} {group}/{resource}")
}

/// What the rules of a role allow.
fn rights(rules: Option<Vec<PolicyRule>>) -> BTreeSet<String> {
    let mut rights = BTreeSet::new();
    for rule in rules.into_iter().flatten() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                rights.extend(rule.verbs.iter().map(|verb| call(verb, group, resource)));
            }
        }
    }
    rights
}

/// All that the operator may do, in the cluster and in its own namespace.
async fn granted(scene: &Scene) -> BTreeSet<String> {
    let client = &scene.stage.client;
    let of_cluster: Api<ClusterRole> = Api::all(client.clone());
    let own: Api<Role> = Api::namespaced(client.clone(), "podid-system");
    let of_cluster = of_cluster.get("podid-operator").await.unwrap();
    let own = own.get("podid-operator").await.unwrap();
    let mut all = rights(of_cluster.rules);
    all.extend(rights(own.rules));
    all
}

/// The operator's calls that the API server has written down: the allowed ones, and the others.
fn called(scene: &Scene) -> (BTreeSet<String>, BTreeSet<String>) {
    let log = fs::read_to_string(scene.stage.lab.audit_log()).unwrap();
    let (mut allowed, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
    // The last line may be half written.
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for event in events.filter(|event| event["user"]["username"] == OPERATOR) {
        let object = &event["objectRef"];
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let resource = match text("subresource") {
            none if none.is_empty() => text("resource"),
            subresource => format!("{}/{subresource}", text("resource")),
        };
        if resource.is_empty() {
            continue;
        }
        let verb = event["verb"].as_str().unwrap_or_default();
        let call = call(verb, &text("apiGroup"), &resource);
        match event["annotations"]["authorization.k8s.io/decision"] == "allow" {
            true => allowed.insert(call),
            false => forbidden.insert(call),
        };
    }
    (allowed, forbidden)
}

fn is_unseen(right: &str) -> bool {
    UNSEEN.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => right.starts_with(start),
        None => right == *known,
    })
}

#[tokio::test]
async fn every_right_of_the_operator_is_used_and_every_call_has_one() {
    let scene = Scene::open("used").await;
    let spec = json!({ "access": [access(READS_SECRETS, &vault())] });
    scene.ready("cart", spec).await;
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.until_assigned(&["web Assigned"]).await;
    scene.delete_pod("web").await;
    scene.delete("cart").await;
    let granted = granted(&scene).await;
    let mut missing = BTreeSet::new();
    eventually("a call for each right", async || {
        let (used, _) = called(&scene);
        let seen = granted.difference(&used).filter(|right| !is_unseen(right));
        let now: BTreeSet<String> = seen.cloned().collect();
        if now != missing {
            eprintln!("no call used {now:?}");
        }
        missing = now;
        missing.is_empty().then_some(())
    })
    .await;
    let (_, forbidden) = called(&scene);
    assert_eq!(forbidden, BTreeSet::new(), "a call that no right covers");
}
