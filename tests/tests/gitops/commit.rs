//! A commit becomes a token in a container, whichever way podid was installed.

use std::fs;
use std::path::Path;

use podid_tests::flux;
use podid_tests::workloads::jobs::{asks_once, job};
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::release::{CHECKOUT, Release};

/// Commits an application that needs the profile `checkout`, as a layer after `before`, and waits until each of its
/// pods has got a token at the first try. Then takes it out again.
pub(crate) fn becomes_a_token(cluster: &Cluster, before: &str) {
    let commit = cluster.fleet.push(|folder| application(folder, before));
    cluster.applied("application", &commit);
    let kubectl = cluster.kubectl();
    let selector = "--selector=job-name=application";
    let said = kubectl.run(&["--namespace", TEAM, "logs", selector, "--tail=-1"]);
    let profile = kubectl.wait_for(&format!("podidentityprofile/{CHECKOUT}"), TEAM);
    let client_id = profile["status"]["identity"]["clientId"].as_str().unwrap();
    let answers: Vec<Value> = serde_json::Deserializer::from_str(&said)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(answers.len(), 6, "{said}");
    for answer in answers {
        assert_eq!(answer["client_id"], client_id, "{answer}");
        assert!(answer["access_token"].is_string(), "{answer}");
    }
    cluster.fleet.revert();
    kubectl.wait_until_gone("job/application", TEAM);
}

/// A Job, and the Kustomization that applies it and waits for its end.
fn application(cluster: &Path, before: &str) {
    let pod = json!({"restartPolicy": "Never", "containers": [asks_once("app")]});
    let folder = cluster.join("../../application");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("job.yaml"),
        job("application", &pod).to_string(),
    )
    .unwrap();
    let layer = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "application", "namespace": flux::NAMESPACE},
        "spec": {
            "dependsOn": [{"name": before}],
            "sourceRef": {"kind": "GitRepository", "name": flux::NAMESPACE},
            "path": "./application",
            "interval": "1h",
            "prune": true,
            "wait": true,
        },
    });
    fs::write(cluster.join("application.yaml"), layer.to_string()).unwrap();
}

#[test]
fn a_commit_becomes_a_token_where_a_helm_release_installed_podid() {
    let cluster = Release::enter();
    becomes_a_token(&cluster, "podid-profiles");
}
