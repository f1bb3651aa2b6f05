//! Commits that arrive while no operator runs are done when one does.

use podid_tests::workloads::team::TEAM;
use podid_tests::workloads::wait_until;
use serde_json::json;

use crate::cluster::{Cluster, SYSTEM, condition};
use crate::fleet::reads_secrets;
use crate::release::Release;

const OPERATORS: &str = "--selector=app.kubernetes.io/name=podid-operator";

/// Lets pods of the operator run, or keeps them off all nodes. Helm and Flux have no say in that.
fn admit_operators(cluster: &Cluster, admit: bool) {
    let kubectl = cluster.kubectl();
    let what = if admit { "uncordon" } else { "cordon" };
    kubectl.run(&[what, "node-0", "node-1"]);
    if !admit {
        kubectl.run(&["--namespace", SYSTEM, "delete", "pods", OPERATORS]);
    }
    wait_until("both pods of the operator are where they should be", || {
        let pods = kubectl.json(&["--namespace", SYSTEM, "get", "pods", OPERATORS]);
        let pods = pods["items"].as_array().unwrap();
        let is_placed = |pod: &serde_json::Value| pod["spec"]["nodeName"].is_string();
        pods.len() == 2 && pods.iter().all(|pod| is_placed(pod) == admit)
    });
}

#[test]
fn commits_wait_for_the_operator_and_are_then_done() {
    let cluster = Release::enter();
    let kubectl = cluster.kubectl();
    let access = json!({"access": reads_secrets()});
    let commit = cluster
        .fleet
        .push_profiles(&[("leaving", Some(access.clone()))]);
    cluster.applied("podid-profiles", &commit);
    let before = cluster.in_azure();
    admit_operators(&cluster, false);

    let commit = cluster
        .fleet
        .push_profiles(&[("leaving", None), ("coming", Some(access))]);
    let coming = kubectl.wait_for("podidentityprofile/coming", TEAM);
    assert_eq!(coming["status"]["observedGeneration"], -1, "{coming}");
    let layer = "kustomization/podid-profiles";
    let layer = kubectl.wait_until(layer, "flux-system", "at work on the commit", |layer| {
        let attempted = layer["status"]["lastAttemptedRevision"].as_str();
        attempted.unwrap_or_default().ends_with(&commit)
    });
    let ready = condition(&layer, "Ready");
    assert_ne!(ready["status"], "False", "the layer waits: {ready}");
    assert_eq!(cluster.in_azure(), before);

    admit_operators(&cluster, true);
    cluster.applied("podid-profiles", &commit);
    kubectl.wait_until_gone("podidentityprofile/leaving", TEAM);
    let after = cluster.in_azure();
    let has = |name: &str| after.iter().any(|one| one.contains(name));
    assert!(has("coming") && !has("leaving"), "{after:?}");
    let commit = cluster.fleet.push_profiles(&[("coming", None)]);
    cluster.applied("podid-profiles", &commit);
}
