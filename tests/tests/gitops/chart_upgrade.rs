//! A new version of the chart is committed while pods ask for tokens.

use std::fs;
use std::path::Path;

use podid_lab::{Target, install};
use podid_tests::workloads::pollers::{Line, Pollers};
use podid_tests::workloads::team::client_id;

use crate::cluster::SYSTEM;
use crate::platform::VERSION;
use crate::release::{Release, Turn};

const NEXT: &str = "99.0.0";

/// The chart of the next version: what it changes are the programs, so that all of them are replaced.
fn next_chart(clone: &Path) {
    let file = clone.join("charts/podid/Chart.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace(&format!("ersion: {VERSION}"), &format!("ersion: {NEXT}"));
    assert_eq!(text.matches(&format!("ersion: {NEXT}")).count(), 2);
    fs::write(file, text).unwrap();
}

/// Makes podid's images known to the nodes by the next version's tag too.
fn tag_images(cluster: &Turn) {
    for node in &cluster.lab.status().unwrap().nodes {
        for image in install::IMAGES {
            let name = |tag: &str| format!("podid.dev/{image}:{tag}");
            install::tag(&cluster.lab, &node.name, &name(VERSION), &name(NEXT)).unwrap();
        }
    }
}

/// Waits until the release has a version of the chart, and all its programs run.
fn released(cluster: &Turn, version: &str) {
    let kubectl = cluster.kubectl();
    let state = format!("released with {version}");
    kubectl.wait_until("helmrelease/podid", SYSTEM, &state, |release| {
        let newest = &release["status"]["history"][0];
        let chart = newest["chartVersion"].as_str().unwrap_or_default();
        // A chart from git has the commit behind its version.
        chart.split('+').next() == Some(version)
            && newest["status"] == "deployed"
            && crate::cluster::condition(release, "Ready")["status"] == "True"
    });
    install::rollout(&cluster.lab).unwrap();
    let image = ["--output=jsonpath={.spec.template.spec.containers[0].image}"];
    for workload in ["deployment/podid-operator", "daemonset/podid-nmi"] {
        let get = ["--namespace", SYSTEM, "get", workload];
        let image = kubectl.run(&[&get[..], &image].concat());
        assert!(image.ends_with(&format!(":{version}")), "{image}");
    }
}

#[test]
fn an_upgrade_of_the_chart_and_its_revert_cost_nobody_an_answer() {
    let cluster = Release::enter();
    let own = client_id(&cluster.kubectl());
    tag_images(&cluster);
    cluster.platform().release(NEXT, next_chart);
    let pollers = Pollers::start(&cluster.lab, "upgrade-pollers");
    cluster.fleet.bootstrap(&cluster.platform().url(), NEXT);
    released(&cluster, NEXT);
    pollers.more_of_each(10);
    cluster.fleet.revert();
    released(&cluster, VERSION);
    pollers.more_of_each(10);
    for line in pollers.end("upgrade of the chart and its revert") {
        let Line { exit, status, .. } = line;
        assert_eq!((exit, status), (0, 200), "{line:?}");
        assert_eq!(line.client_id, own, "{line:?}");
    }
    // The daemons of the first version are gone, as the API server has it, and so are those of the second.
    let names = ["sh", "-c", "pgrep -xc podid-nmi"];
    for node in ["node-0", "node-1"] {
        let count = cluster
            .lab
            .command(&Target::node(node), names)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&count.stdout).trim(), "1", "{node}");
    }
}
