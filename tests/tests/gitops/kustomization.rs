//! podid without Helm: Flux applies the overlay of podid's repository, as `flux/kustomize` has it.

use std::fs;
use std::path::Path;

use podid_lab::layout::{OPERATOR_CLIENT_ID, TENANT};
use podid_tests::flux;
use podid_tests::programs::repository;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SYSTEM};
use crate::commit;
use crate::fleet::{CLUSTER_PATH, kustomization};
use crate::platform::{Platform, VERSION};
use crate::release::{CHECKOUT, checkout};

/// A file of `flux/` with one object.
fn shipped(file: &str) -> Value {
    let text = fs::read_to_string(repository().join("flux").join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Puts `flux/kustomize/release.yaml` in the place of the bootstrap's HelmRelease, with the ids of the lab.
fn without_helm(cluster: &Path, platform: &Platform) {
    let mut release = shipped("kustomize/release.yaml");
    let mut source = shipped("sources/git.yaml");
    source["spec"]["url"] = json!(platform.url());
    source["spec"]["ref"]["tag"] = json!(VERSION);
    release["spec"]["path"] = json!("./kustomize/lab");
    release["spec"]["interval"] = json!("10s");
    release["spec"].as_object_mut().unwrap().remove("images");
    // It has the settings of the lab, but for these two.
    let settings = release["spec"]["patches"][0]["patch"].as_str().unwrap();
    let settings = settings.replace("11111111-1111-1111-1111-111111111111", TENANT);
    let settings = settings.replace("33333333-3333-3333-3333-333333333333", OPERATOR_CLIENT_ID);
    release["spec"]["patches"][0]["patch"] = json!(settings);
    let folder = cluster.join("podid/infrastructure");
    fs::write(folder.join("release.yaml"), release.to_string()).unwrap();
    fs::write(folder.join("source.yaml"), source.to_string()).unwrap();
}

#[test]
fn flux_installs_podid_without_helm_and_a_commit_becomes_a_token() {
    let cluster = Cluster::up("kustomization", 1);
    let platform = Platform::new();
    cluster.fleet.bootstrap(&platform.url(), VERSION);
    cluster.fleet.push(|folder| without_helm(folder, &platform));
    cluster.fleet.push_profiles(&[(CHECKOUT, Some(checkout()))]);
    flux::follow(&cluster.kubectl(), cluster.fleet.path(), CLUSTER_PATH);
    cluster.profile_is_ready(CHECKOUT);
    commit::becomes_a_token(&cluster, "podid-profiles");
    an_edit_is_undone(&cluster);
    podid_outlives_its_folder(&cluster);
}

/// Somebody's edit of the operator's rights is undone at the next look.
fn an_edit_is_undone(cluster: &Cluster) {
    let kubectl = cluster.kubectl();
    let before = kubectl.wait_for("clusterrole/podid-operator", "default");
    let patch = ["patch", "clusterrole/podid-operator", "--type=merge"];
    kubectl.run(&[&patch[..], &["--patch", "{\"rules\":[]}"]].concat());
    kubectl.wait_until(
        "clusterrole/podid-operator",
        "default",
        "as it was",
        |now| now["rules"] == before["rules"],
    );
}

/// All of podid leaves git at once by mistake: profiles are undone by the operator, which stays, and so do the kinds.
fn podid_outlives_its_folder(cluster: &Cluster) {
    cluster.fleet.push(|folder| {
        fs::remove_dir_all(folder.join("podid")).unwrap();
        let rest = kustomization(json!({"resources": []}));
        fs::write(folder.join("kustomization.yaml"), rest.to_string()).unwrap();
    });
    let kubectl = cluster.kubectl();
    let profile = format!("podidentityprofile/{CHECKOUT}");
    kubectl.wait_until_gone(&profile, podid_tests::workloads::team::TEAM);
    let state = cluster.in_azure();
    assert!(!state.iter().any(|one| one.contains(CHECKOUT)), "{state:?}");
    kubectl.wait_for("deployment/podid-operator", SYSTEM);
    kubectl.wait_for("daemonset/podid-nmi", SYSTEM);
    kubectl.wait_for("crd/podidentityprofiles.podid.dev", "default");
}
