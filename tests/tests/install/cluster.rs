//! podid in a cluster whose nodes have real kubelets, installed from its images and manifests.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use podid_lab::{Flux, Lab, Lifetime, Network, NodeAgent, NodeKind, UpOptions, install};
use podid_tests::programs::repository;
use serde_json::{Value, json};

use crate::fixture::images;
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::jobs::{asks_once, completes, job};
use podid_tests::workloads::team::{self, TEAM};

/// The cluster, for a test that leaves podid alone.
fn cluster() -> RwLockReadGuard<'static, Lab> {
    lab().read().unwrap_or_else(PoisonError::into_inner)
}

/// The cluster, for a test that restarts podid.
pub(crate) fn cluster_alone() -> RwLockWriteGuard<'static, Lab> {
    lab().write().unwrap_or_else(PoisonError::into_inner)
}

/// A cluster with podid, a class and a profile `checkout` that is ready.
fn lab() -> &'static RwLock<Lab> {
    static LAB: OnceLock<RwLock<Lab>> = OnceLock::new();
    LAB.get_or_init(|| RwLock::new(with_podid("install", Network::Bridge, 2)))
}

/// A new cluster with podid, a class and a profile `checkout` that is ready.
pub(crate) fn with_podid(name: &str, network: Network, nodes: usize) -> Lab {
    let lab = Lab::up(UpOptions {
        name: format!("t-{name}-{}", std::process::id()),
        nodes: vec![NodeKind::Uniform; nodes],
        node_agent: NodeAgent::Kubelet,
        network,
        flux: Flux::None,
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    });
    let lab = lab.unwrap();
    let overlay = repository().join("kustomize/lab");
    install::containers(&lab, &images(), &overlay).unwrap();
    team::profile_is_ready(&Kubectl::of(&lab));
    lab
}

#[test]
fn the_only_container_of_a_job_gets_its_token_at_the_first_try() {
    let lab = cluster();
    let kubectl = Kubectl::of(&lab);
    let pod = json!({"restartPolicy": "Never", "containers": [asks_once("app")]});
    kubectl.apply(&job("first", &pod));
    completes(&kubectl, "first");
    let said = kubectl.run(&["--namespace", TEAM, "logs", "job/first"]);
    assert!(said.contains("\"access_token\""), "{said}");
}

#[test]
fn an_init_container_gets_its_token_at_the_first_try() {
    let lab = cluster();
    let kubectl = Kubectl::of(&lab);
    let pod = json!({
        "restartPolicy": "Never",
        "initContainers": [asks_once("init")],
        "containers": [asks_once("app")],
    });
    kubectl.apply(&job("init", &pod));
    completes(&kubectl, "init");
}

#[test]
fn a_pod_that_nobody_binds_gets_no_token() {
    let lab = cluster();
    let kubectl = Kubectl::of(&lab);
    let mut stranger = job(
        "stranger",
        &json!({
            "restartPolicy": "Never", "containers": [asks_once("app")],
        }),
    );
    stranger["spec"]["template"]["metadata"]["labels"] = json!({"app": "stranger"});
    stranger["spec"]["completions"] = 1.into();
    stranger["spec"]["parallelism"] = 1.into();
    kubectl.apply(&stranger);
    let failed = [
        "wait",
        "job/stranger",
        "--for=condition=Failed",
        "--timeout=90s",
    ];
    kubectl.run(&[&["--namespace", TEAM][..], &failed].concat());
    let said = kubectl.run(&["--namespace", TEAM, "logs", "job/stranger"]);
    assert!(
        said.contains("\"error\"") && !said.contains("access_token"),
        "{said}"
    );
}

/// A pod that shares the node's processes may run as the operator's user.
#[test]
fn what_the_operator_has_is_closed_to_other_processes_of_its_user() {
    let lab = cluster();
    let look = "for pid in $(pgrep -x podid-operator); do
        awk '/^Uid:/ {printf \"%s \", $2}' /proc/$pid/status; stat -c %u /proc/$pid/environ; done";
    let owners = ["node-0", "node-1"].map(|node| {
        let target = podid_lab::Target::node(node);
        let output = lab.command(&target, ["sh", "-c", look]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    // Its user is 65532. Were its files that user's, so would be who may read them.
    let owners = owners.concat();
    let owners: Vec<&str> = owners.lines().collect();
    assert_eq!(owners, ["65532 0"; 2]);
}

#[test]
fn the_daemon_has_three_capabilities_and_a_root_that_it_cannot_write() {
    let lab = cluster();
    let kubectl = Kubectl::of(&lab);
    let pods = kubectl.json(&["--namespace", install::NAMESPACE, "get", "pods"]);
    let pods = pods["items"].as_array().unwrap();
    let of = |name: &str| {
        let has_name = |pod: &&Value| pod["metadata"]["labels"]["app.kubernetes.io/name"] == name;
        pods.iter().filter(has_name).count()
    };
    assert_eq!((of("podid-operator"), of("podid-nmi")), (2, 2));
    for node in ["node-0", "node-1"] {
        let status = "cat /proc/$(pgrep -x podid-nmi)/status";
        let target = podid_lab::Target::node(node);
        let output = lab.command(&target, ["sh", "-c", status]).output().unwrap();
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        // NET_ADMIN (12), SYS_PTRACE (19) and SYS_ADMIN (21).
        assert!(status.contains("CapEff:\t0000000000281000"), "{output:?}");
        assert!(
            status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
            "{status}"
        );
    }
}
