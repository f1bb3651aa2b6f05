//! Two daemons on one node, as during an upgrade that starts the new one before it ends the old one.

use nix::sys::signal::Signal;
use nlink::netlink::{Connection, Nftables};
use podid_lab::Network;
use podid_tests::node::{Daemon, TestNode, wait_until};

use crate::scene::{NETWORKS, Scene, nmi};

/// Listens where the first daemon does not.
const ELSEWHERE: [&str; 6] = [
    "--listen",
    "0.0.0.0:2589",
    "--unattested-port",
    "2590",
    "--admin-addr",
    "127.0.0.1:8082",
];

/// Counts up with every change of the node's rules, whoever makes it.
fn generation(test_node: &TestNode) -> u32 {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        kernel.generation().await.unwrap()
    })
}

#[test]
fn of_two_daemons_the_later_one_owns_the_rules() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        let later = Daemon::start(&nmi(), &scene.test_node, &scene.api, &ELSEWHERE).unwrap();
        wait_until("the first has noticed", || !scene.daemon.is_ready());
        wait_until("the pod is proved again", || {
            pod.ask().token() == Some("token-of-client-one")
        });
        let before = generation(&scene.test_node);
        for _ in 0..20 {
            assert_eq!(pod.ask().token(), Some("token-of-client-one"));
        }
        assert_eq!(
            generation(&scene.test_node),
            before,
            "{network:?}: neither undoes what the other did"
        );
        assert!(later.is_ready());
        assert!(scene.daemon.end(Signal::SIGTERM).unwrap().success());
        assert_eq!(pod.ask().token(), Some("token-of-client-one"));
    }
}

#[test]
fn a_first_daemon_leaves_alone_what_the_later_one_has_done() {
    let scene = Scene::start(Network::Bridge);
    let _later = Daemon::start(&nmi(), &scene.test_node, &scene.api, &ELSEWHERE).unwrap();
    wait_until("the first has noticed", || !scene.daemon.is_ready());
    let before = generation(&scene.test_node);
    // Both hear of the pod; one change to the rules is made for it.
    let pod = scene.test_node.add_pod().unwrap();
    scene.api.put(&pod.running("one", "one"));
    wait_until("the pod is known, to which nothing is bound", || {
        pod.ask().status == 400
    });
    assert_eq!(generation(&scene.test_node), before + 1);
    assert!(scene.daemon.log().contains("leaving the rules alone"));
}
