//! A node that starts: pods run before the daemon.

use std::path::Path;
use std::process::Command;

use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{
    ApiServer, Daemon, Imds, NODE_TOKEN, TOKEN_URL, TestNode, assigned, azure_identity, binding,
    wait_until,
};

use crate::scene::{NETWORKS, Scene, nmi};

fn run(program: &Path, test_node: &TestNode, arguments: &[&str]) {
    let output = in_namespace(test_node.namespace(), || {
        Command::new(program).args(arguments).output()
    });
    let output = output.unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// What the unit runs, with its program under `root`.
fn exec_start(root: &Path) -> (std::path::PathBuf, String) {
    // By the link, as systemd finds it.
    let unit = root.join("etc/systemd/system/kubelet.service.wants/podid-boot.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    assert!(
        unit.contains("Before=containerd.service kubelet.service\n"),
        "{unit}"
    );
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/"))
        .unwrap();
    let (program, argument) = line.split_once(' ').unwrap();
    (root.join(program), argument.to_owned())
}

#[test]
fn a_node_with_the_unit_is_closed_before_its_daemon_starts() {
    for network in NETWORKS {
        let root = tempfile::tempdir().unwrap();
        let at = format!("--node-root={}", root.path().display());
        let test_node = TestNode::start(network).unwrap();
        let imds = Imds::start(&test_node).unwrap();
        let pod = test_node.add_pod().unwrap();
        assert_eq!(
            pod.ask().token(),
            Some(NODE_TOKEN),
            "{network:?}: without rules the node is open"
        );
        let before = imds.client_ids().len();

        for _ in 0..2 {
            run(&nmi(), &test_node, &["boot-unit", &at]);
        }
        let (program, argument) = exec_start(root.path());
        for _ in 0..2 {
            run(&program, &test_node, &[&argument]);
        }
        let answer = pod.curl(&["-m", "2", "-H", "Metadata:true", TOKEN_URL]);
        assert_eq!(
            (answer.status, answer.exit),
            (0, 28),
            "{network:?}: no answer"
        );
        assert_eq!(imds.client_ids().len(), before, "{network:?}");

        let api = ApiServer::start(&test_node).unwrap();
        let daemon = Daemon::start(&nmi(), &test_node, &api, &[]).unwrap();
        api.put(&azure_identity("one"));
        api.put(&binding("one", "one"));
        api.put(&assigned("one", &pod.uid, "one", "Assigned"));
        api.put(&pod.running("one", "one"));
        wait_until("the pod is proved", || {
            daemon.metric("podid_nmi_pods_attested") == Some(1)
        });
        run(&program, &test_node, &[&argument]);
        assert_eq!(
            pod.ask().token(),
            Some("token-of-client-one"),
            "{network:?}: it took over"
        );

        drop(daemon);
        run(&nmi(), &test_node, &["uninstall", &at]);
        assert_eq!(
            pod.ask().token(),
            Some(NODE_TOKEN),
            "{network:?}: nothing of podid is left"
        );
        for file in [
            "etc/systemd/system/podid-boot.service",
            "opt/podid/podid-nmi",
        ] {
            assert!(!root.path().join(file).exists(), "{file}");
        }
    }
}

#[test]
fn the_unit_cannot_be_laid_down_where_the_node_is_not_mounted() {
    let scene = Scene::start(Network::Routed);
    let output = in_namespace(scene.test_node.namespace(), || {
        Command::new(nmi())
            .args(["boot-unit", "--node-root=/proc/nowhere"])
            .output()
    });
    let output = output.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("is the folder of the node mounted"),
        "{said}"
    );
}
