//! The node daemon is replaced and killed while pods ask for tokens without a pause.

use podid_lab::Target;
use podid_lab::install::NAMESPACE as SYSTEM;
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::pollers::Pollers;
use podid_tests::workloads::team::client_id;
use podid_tests::workloads::wait_until;

use crate::cluster::cluster_alone;

/// Names of podid's pods on the nodes, that run.
fn daemons(kubectl: &Kubectl<'_>) -> Vec<String> {
    let selector = "--selector=app.kubernetes.io/name=podid-nmi";
    let names = "--output=jsonpath={.items[*].metadata.name}";
    let text = kubectl.run(&["--namespace", SYSTEM, "get", "pods", selector, names]);
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_rolling_update_of_the_daemon_costs_nobody_an_answer() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let own = client_id(&kubectl);
    let polling = Pollers::start(&lab, "rollout-pollers");
    let before = daemons(&kubectl);
    kubectl.run(&[
        "--namespace",
        SYSTEM,
        "rollout",
        "restart",
        "daemonset/podid-nmi",
    ]);
    let status = ["rollout", "status", "daemonset/podid-nmi", "--timeout=240s"];
    kubectl.run(&[&["--namespace", SYSTEM][..], &status].concat());
    wait_until("the old daemons have ended", || {
        let now = daemons(&kubectl);
        now.len() == 2 && !now.iter().any(|name| before.contains(name))
    });
    polling.more_of_each(20);
    let lines = polling.end("rolling update");
    for line in lines {
        assert_eq!((line.exit, line.status), (0, 200), "{line:?}");
        assert_eq!(line.client_id, own, "{line:?}");
    }
}

/// How often the container of the daemon on a node was restarted, and whether it is ready.
fn restarts(kubectl: &Kubectl<'_>, node: &str) -> (u64, bool) {
    let on_node = format!("--field-selector=spec.nodeName={node}");
    let selector = "--selector=app.kubernetes.io/name=podid-nmi";
    let pods = kubectl.json(&["--namespace", SYSTEM, "get", "pods", selector, &on_node]);
    let container = &pods["items"][0]["status"]["containerStatuses"][0];
    let count = container["restartCount"].as_u64().unwrap_or_default();
    (count, container["ready"] == true)
}

#[test]
fn a_daemon_that_is_killed_again_and_again_refuses_nobody() {
    let lab = cluster_alone();
    let kubectl = Kubectl::of(&lab);
    let own = client_id(&kubectl);
    let polling = Pollers::start(&lab, "crash-pollers");
    for _ in 0..3 {
        let (before, _) = restarts(&kubectl, "node-0");
        let kill = ["sh", "-c", "kill -9 $(pgrep -x podid-nmi)"];
        let killed = lab.command(&Target::node("node-0"), kill).status().unwrap();
        assert!(killed.success());
        wait_until("the daemon is ready again", || {
            let (now, is_ready) = restarts(&kubectl, "node-0");
            now > before && is_ready
        });
        polling.more_of_each(5);
    }
    let lines = polling.end("killed three times");
    for line in lines {
        let is_answered = line.status == 200 && line.client_id == own;
        assert!(line.is_cut_off() || is_answered, "{line:?}");
    }
}
