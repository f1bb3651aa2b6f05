//! A setting that the operator cannot work with does not replace the replicas that work.

use podid_lab::install::NAMESPACE as SYSTEM;
use podid_tests::kubectl::Kubectl;
use serde_json::Value;

use crate::cluster::cluster_alone;
use podid_tests::workloads::wait_until;

const DEPLOYMENT: &str = "deployment/podid-operator";
const WRONG: &str = "PODID_CLIENT_ID=00000000-0000-4000-8000-00000000dead";

/// Pods of the operator: their names, whether they have the wrong setting, and whether they are ready.
fn operators(kubectl: &Kubectl<'_>) -> Vec<(String, bool, bool)> {
    let selector = "--selector=app.kubernetes.io/name=podid-operator";
    let pods = kubectl.json(&["--namespace", SYSTEM, "get", "pods", selector]);
    let pods = pods["items"].as_array().unwrap().iter();
    let pods = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    pods.map(|pod| {
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        let is_wrong = pod["spec"].to_string().contains("dead");
        (name, is_wrong, is_ready(pod))
    })
    .collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[test]
fn the_rollout_of_a_wrong_client_id_leaves_a_replica_that_works() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    kubectl.run(&["--namespace", SYSTEM, "set", "env", DEPLOYMENT, WRONG]);
    let is_refused = |name: &str| {
        let log = kubectl.output(&["--namespace", SYSTEM, "logs", name]);
        String::from_utf8_lossy(&log.stdout).contains("no token for Azure")
    };
    wait_until("both new replicas are told that nobody knows them", || {
        let now = operators(&kubectl);
        let wrong = now.iter().filter(|(_, is_wrong, _)| *is_wrong);
        wrong.filter(|(name, _, _)| is_refused(name)).count() == 2
    });
    let now = operators(&kubectl);
    let ready = |of_wrong: bool| {
        let of_kind = now.iter().filter(|(_, is_wrong, _)| *is_wrong == of_wrong);
        of_kind.filter(|(_, _, is_ready)| *is_ready).count()
    };
    assert_eq!(ready(true), 0, "{now:?}");
    assert!(ready(false) >= 1, "{now:?}");
    wait_until("a replica that works leads", || {
        let lease = kubectl.json(&["--namespace", SYSTEM, "get", "lease", "podid-operator"]);
        let holder = lease["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let holder = now.iter().find(|(name, _, _)| *name == holder);
        holder.is_some_and(|(_, is_wrong, _)| !is_wrong)
    });
    kubectl.run(&["--namespace", SYSTEM, "rollout", "undo", DEPLOYMENT]);
    kubectl.run(&[
        "--namespace",
        SYSTEM,
        "rollout",
        "status",
        DEPLOYMENT,
        "--timeout=240s",
    ]);
}
