//! podid by plain Helm, with profiles from git.

use std::fs;
use std::path::Path;
use std::process::Output;

use podid_lab::image::BOX;
use podid_lab::install;
use podid_lab::layout::{OPERATOR_CLIENT_ID, TENANT};
use podid_tests::flux;
use podid_tests::manifests::{chart, helm};
use podid_tests::workloads::team::{self, TEAM};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SYSTEM};
use crate::commit;
use crate::fleet::{CLUSTER_PATH, ROLE, kustomization, profile, vault};
use crate::release::{CHECKOUT, checkout, values_of_a_lab};

/// Whatever helm says of the cluster and however it ends.
pub(crate) fn output(cluster: &Cluster, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = helm(home.path());
    command.arg("--kubeconfig").arg(cluster.lab.kubeconfig());
    command.args(["--namespace", SYSTEM]).args(arguments);
    command.output().unwrap()
}

/// Runs helm against the cluster.
pub(crate) fn run(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = output(cluster, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What docs/install.md has a person write, and how podid reaches the simulated Azure.
pub(crate) fn values() -> Value {
    let mut values = values_of_a_lab();
    values["operator"]["settings"]["tenantId"] = json!(TENANT);
    values["operator"]["settings"]["clientId"] = json!(OPERATOR_CLIENT_ID);
    let mut class = team::class()["spec"].clone();
    class["limits"]["access"] = json!([{"role": ROLE, "scopes": [vault()]}]);
    values["classes"] = json!([{"name": "standard", "spec": class}]);
    values["tests"] = json!({"image": BOX});
    values
}

/// A Kustomization `fleet` for the profiles alone.
fn profiles(cluster: &Path) {
    let folder = cluster.join("../../profiles");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(cluster).unwrap();
    let checkout = profile(CHECKOUT, &checkout());
    fs::write(folder.join("checkout.yaml"), checkout.to_string()).unwrap();
    let layer = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "profiles", "namespace": flux::NAMESPACE},
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": flux::NAMESPACE},
            "path": "./profiles",
            "interval": "1h",
            "prune": true,
            "wait": true,
        },
    });
    fs::write(cluster.join("profiles.yaml"), layer.to_string()).unwrap();
}

#[test]
fn helm_installs_tests_upgrades_and_removes_podid() {
    let cluster = Cluster::up("helm", 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    fs::write(&file, values().to_string()).unwrap();
    let (chart, values) = (
        chart().display().to_string(),
        format!("--values={}", file.display()),
    );
    let install = [
        "upgrade",
        "--install",
        "podid",
        &chart,
        &values,
        "--wait",
        "--timeout=4m",
    ];
    run(&cluster, &install);
    let commit = cluster.fleet.push(profiles);
    flux::follow(&cluster.kubectl(), cluster.fleet.path(), CLUSTER_PATH);
    cluster.applied("profiles", &commit);
    commit::becomes_a_token(&cluster, "profiles");
    // Without a name server in the lab, the operator's Service has no name; the daemon's pages have an address.
    run(
        &cluster,
        &[
            "test",
            "podid",
            "--filter=name=podid-nmi-test",
            "--timeout=2m",
        ],
    );

    run(
        &cluster,
        &[&install[..], &["--set=operator.settings.concurrency=4"]].concat(),
    );
    run(
        &cluster,
        &["rollback", "podid", "1", "--wait", "--timeout=4m"],
    );
    install::rollout(&cluster.lab).unwrap();
    commit::becomes_a_token(&cluster, "profiles");
    remove(&cluster, &install);
}

/// As docs/install.md says: the profiles first, then the rules, then podid.
fn remove(cluster: &Cluster, install: &[&str]) {
    let kubectl = cluster.kubectl();
    cluster.fleet.push(|folder| {
        fs::remove_file(folder.join("profiles.yaml")).unwrap();
        // Flux takes a folder that is gone for a mistake.
        let nothing = kustomization(json!({"resources": []}));
        fs::write(folder.join("kustomization.yaml"), nothing.to_string()).unwrap();
    });
    kubectl.wait_until_gone(&format!("podidentityprofile/{CHECKOUT}"), TEAM);
    let state = cluster.in_azure();
    assert!(!state.iter().any(|one| one.contains(CHECKOUT)), "{state:?}");
    run(
        cluster,
        &[install, &["--set=uninstall.enabled=true"]].concat(),
    );
    run(cluster, &["uninstall", "podid", "--wait", "--timeout=4m"]);
    let all = "deployments,daemonsets,pods,services,configmaps,leases,clusterroles,clusterrolebindings,\
        validatingadmissionpolicies";
    let selector = "--selector=app.kubernetes.io/part-of=podid";
    // Helm waits for what it has made, and not for the pods of that.
    wait_until("nothing of podid is left", || {
        let get = ["get", all, "--all-namespaces", selector, "--output=name"];
        kubectl.run(&get).is_empty()
    });
    let rules = ["nft", "list", "tables"];
    let node = podid_lab::Target::node("node-0");
    let output = cluster.lab.command(&node, rules).output().unwrap();
    let tables = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && !tables.contains("podid"),
        "{output:?}"
    );
}
