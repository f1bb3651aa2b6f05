//! The node daemon has the rights that its calls need, and no others.

use std::collections::BTreeSet;

use podid_lab::layout::{RESOURCE_GROUP, SUBSCRIPTION};
use podid_tests::kubectl::Kubectl;
use podid_tests::rights::{DAEMON, called, granted};
use podid_tests::workloads::jobs::asks_once;
use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::cluster_alone;

/// Has the daemon refuse a pod and write an Event about it, because no binding takes its service account.
fn refused(kubectl: &Kubectl<'_>) {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nobodys"
    );
    let metadata = json!({"name": "nobodys", "namespace": TEAM});
    let mut narrowed = metadata.clone();
    narrowed["annotations"] = json!({"podid.dev/service-accounts": "somebody"});
    let version = "aadpodidentity.k8s.io/v1";
    kubectl.apply(&json!({
        "apiVersion": version, "kind": "AzureIdentity", "metadata": metadata,
        "spec": {"type": 0, "resourceID": id, "clientID": "00000000-0000-4000-8000-000000000009"},
    }));
    kubectl.apply(&json!({
        "apiVersion": version, "kind": "AzureIdentityBinding", "metadata": narrowed,
        "spec": {"azureIdentity": "nobodys", "selector": "nobodys"},
    }));
    let labels = json!({"aadpodidbinding": "nobodys"});
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "nobodys", "namespace": TEAM, "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [asks_once("app")]},
    }));
}

#[test]
fn every_right_of_the_daemon_is_used_and_every_call_has_one() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let granted = granted(&kubectl.json(&["get", "clusterrole", "podid-nmi"]));
    assert!(granted.len() > 10, "{granted:?}");
    refused(&kubectl);
    wait_until("a call for each right", || {
        let used = called(&lab.audit_log(), DAEMON).unwrap().allowed;
        granted.is_subset(&used)
    });
    for kind in ["pod", "azureidentitybinding", "azureidentity"] {
        kubectl.run(&["--namespace", TEAM, "delete", kind, "nobodys"]);
    }
    let forbidden = called(&lab.audit_log(), DAEMON).unwrap().forbidden;
    assert_eq!(forbidden, BTreeSet::new(), "a call that no right covers");
}
