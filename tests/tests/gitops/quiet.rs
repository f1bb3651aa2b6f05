//! Where nothing changes, nothing is written: by Flux, by Helm, by podid.

use std::collections::BTreeMap;

use podid_tests::azure::{self, writes};
use podid_tests::workloads::wait_until;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::release::{INTERVAL, Release};

/// Looks, each of which stands for ten minutes of podid's and an hour of Flux's: together an hour and more.
const ROUNDS: usize = 7;
/// Everything that podid is and makes. Flux's own objects are left out: it writes their status at every look.
const OBJECTS: &str = "podidentityprofiles,podidentityclasses,azureidentities,azureidentitybindings,\
    azureassignedidentities,azurepodidentityexceptions,customresourcedefinitions,deployments,daemonsets,\
    configmaps,serviceaccounts,services,clusterroles,clusterrolebindings,roles,rolebindings,poddisruptionbudgets,\
    validatingadmissionpolicies,validatingadmissionpolicybindings,pods";

/// The version of each object.
fn versions(cluster: &Cluster) -> BTreeMap<String, String> {
    let kubectl = cluster.kubectl();
    let list = kubectl.json(&["get", OBJECTS, "--all-namespaces"]);
    let version = |item: &Value| {
        let metadata = &item["metadata"];
        let name = format!(
            "{} {}/{}",
            item["kind"], metadata["namespace"], metadata["name"]
        );
        (name, metadata["resourceVersion"].to_string())
    };
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(version)
        .collect()
}

/// Events so far, by object and reason.
fn events(cluster: &Cluster) -> Vec<String> {
    let list = cluster
        .kubectl()
        .json(&["get", "events", "--all-namespaces"]);
    let items = list["items"].as_array().unwrap().iter();
    // Flux tells of each look.
    let is_look = |event: &&Value| {
        event["reason"] == "ReconciliationSucceeded"
            && event["involvedObject"]["kind"] == "Kustomization"
    };
    let mut all: Vec<String> = items
        .filter(|event| !is_look(event))
        .map(|event| {
            let (about, count) = (&event["involvedObject"], &event["count"]);
            format!(
                "{} {} {} {} ×{count}",
                about["kind"], about["name"], event["reason"], event["message"]
            )
        })
        .collect();
    all.sort();
    all
}

/// How often a controller of Flux has logged a line with these words.
fn logged(cluster: &Cluster, controller: &str, words: [&str; 2]) -> usize {
    let log = std::fs::read_to_string(cluster.lab.log(controller)).unwrap();
    let is_one = |line: &&str| words.iter().all(|word| line.contains(word));
    log.lines().filter(is_one).count()
}

/// How often kustomize-controller has looked at a layer.
pub(crate) fn layer_rounds(cluster: &Cluster, name: &str) -> usize {
    let name = format!("\"name\":\"{name}\"");
    logged(
        cluster,
        "kustomize-controller",
        ["Reconciliation finished", &name],
    )
}

/// How often each loop has looked: the three layers, the release, and podid at the profile.
fn rounds(cluster: &Cluster) -> BTreeMap<&'static str, usize> {
    let layers = ["podid-infrastructure", "podid-classes", "podid-profiles"];
    let layers = layers.map(|name| (name, layer_rounds(cluster, name)));
    let words = ["release in-sync with desired state", "\"name\":\"podid\""];
    let release = ("release", logged(cluster, "helm-controller", words));
    let calls = azure::calls(&cluster.lab).into_iter();
    let looks = calls.filter(|(operation, _)| operation == "arm.identity.get");
    let podid = ("podid", looks.count());
    layers.into_iter().chain([release, podid]).collect()
}

fn wait_for_rounds(cluster: &Cluster, since: &BTreeMap<&'static str, usize>, count: usize) {
    wait_until("every loop has looked again", || {
        let now = rounds(cluster);
        since
            .iter()
            .all(|(name, before)| now[name] >= before + count)
    });
}

#[test]
fn an_hour_in_which_nothing_changes_leaves_no_trace() {
    let cluster = Release::enter();
    wait_until("a round without a change is over", || {
        let before = (versions(&cluster), rounds(&cluster));
        wait_for_rounds(&cluster, &before.1, 1);
        versions(&cluster) == before.0
    });
    azure::forget_calls(&cluster.lab);
    let before = (versions(&cluster), events(&cluster), cluster.in_azure());
    let first = rounds(&cluster);
    wait_for_rounds(&cluster, &first, ROUNDS);
    println!("rounds of {INTERVAL}: {first:?} to {:?}", rounds(&cluster));
    assert_eq!(writes(&cluster.lab), [""; 0]);
    let after = (versions(&cluster), events(&cluster), cluster.in_azure());
    assert_eq!(changed(&before.0, &after.0), [""; 0]);
    assert_eq!((after.1, after.2), (before.1, before.2));
}

fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    changed.cloned().collect()
}
