//! The node daemon has the rights that its calls need, and no others.

use std::collections::BTreeSet;

use podid_lab::layout::{RESOURCE_GROUP, SUBSCRIPTION};
use podid_tests::kubectl::Kubectl;
use podid_tests::rights::{called, granted};
use podid_tests::workloads::jobs::asks_once;
use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::cluster_alone;

const DAEMON: &str = "system:serviceaccount:podid-system:podid-nmi";

/// A pod that the daemon refuses, and about which it writes an Event.
fn refused(kubectl: &Kubectl<'_>) {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nobodys"
    );
    let metadata = json!({"name": "nobodys", "namespace": TEAM});
    let version = "aadpodidentity.k8s.io/v1";
    kubectl.apply(&json!({
        "apiVersion": version, "kind": "AzureIdentity", "metadata": metadata,
        "spec": {"type": 0, "resourceID": id},
    }));
    kubectl.apply(&json!({
        "apiVersion": version, "kind": "AzureIdentityBinding", "metadata": metadata,
        "spec": {"azureIdentity": "nobodys", "selector": "nobodys"},
    }));
    let labels = json!({"aadpodidbinding": "nobodys"});
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "nobodys", "namespace": TEAM, "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [asks_once("app")]},
    }));
    let about = "--field-selector=regarding.name=nobodys,reason=NoClientId";
    wait_until("the daemon tells why it refuses the pod", || {
        let get = ["--namespace", TEAM, "get", "events.v1.events.k8s.io", about];
        let events = kubectl.json(&get);
        !events["items"].as_array().unwrap().is_empty()
    });
    for kind in ["pod", "azureidentitybinding", "azureidentity"] {
        kubectl.run(&["--namespace", TEAM, "delete", kind, "nobodys"]);
    }
}

#[test]
fn every_right_of_the_daemon_is_used_and_every_call_has_one() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    refused(&kubectl);
    let granted = granted(&kubectl.json(&["get", "clusterrole", "podid-nmi"]));
    assert!(granted.len() > 10, "{granted:?}");
    wait_until("a call for each right", || {
        let used = called(&lab.audit_log(), DAEMON).unwrap().allowed;
        granted.is_subset(&used)
    });
    let forbidden = called(&lab.audit_log(), DAEMON).unwrap().forbidden;
    assert_eq!(forbidden, BTreeSet::new(), "a call that no right covers");
}
