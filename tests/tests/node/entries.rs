//! What the node writes down of a proved pod on a bridge, so that it need not be learned from whoever
//! speaks last: the neighbour entry that gives its MAC, and the bridge's entry that gives its port.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use nix::sys::signal::Signal;
use nlink::netlink::{Connection, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Daemon, Pod, TestNode, wait_until};

use crate::scene::{Scene, nmi};

/// The MAC that the node has written down for an address.
fn fixed_neighbor(test_node: &TestNode, address: Ipv4Addr) -> Option<Vec<u8>> {
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(test_node.namespace()).unwrap();
        let neighbors = kernel.get_neighbors().await.unwrap();
        neighbors
            .iter()
            .filter(|n| n.is_permanent() && n.destination() == Some(&IpAddr::V4(address)))
            .find_map(|n| n.lladdr().map(<[u8]>::to_vec))
    })
}

/// The ports at which the node's bridge expects a MAC; of those, whether that is written down.
pub(crate) fn ports(test_node: &TestNode, mac: &[u8]) -> Vec<(String, bool)> {
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(test_node.namespace()).unwrap();
        let links = kernel.get_links().await.unwrap();
        let bridge = links.iter().find(|link| link.kind() == Some("bridge"));
        let bridge = bridge.unwrap().ifindex();
        let name = |index| {
            let link = links.iter().find(|link| link.ifindex() == index);
            link.and_then(|link| link.name()).unwrap().to_owned()
        };
        let entries = kernel.get_fdb_by_index(bridge).await.unwrap();
        entries
            .iter()
            .filter(|entry| entry.mac() == mac)
            .map(|entry| {
                (
                    name(entry.ifindex()),
                    entry.is_static() && entry.is_sticky(),
                )
            })
            .collect()
    })
}

fn are_written(test_node: &TestNode, pod: &Pod) -> bool {
    let mac = pod.mac(test_node).unwrap();
    fixed_neighbor(test_node, pod.address).as_ref() == Some(&mac)
        && ports(test_node, &mac) == [(pod.port(), true)]
}

fn are_gone(test_node: &TestNode, pod: &Pod) -> bool {
    let written = |(_, fixed): &(String, bool)| *fixed;
    fixed_neighbor(test_node, pod.address).is_none()
        && !ports(test_node, &pod.mac(test_node).unwrap())
            .iter()
            .any(written)
}

#[test]
fn a_proved_pods_entries_are_written_and_go_with_it() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    assert!(are_written(&scene.test_node, &pod));
    scene.api.delete(&pod.running("one", "one"));
    wait_until("the entries are gone", || are_gone(&scene.test_node, &pod));
    assert!(are_written(&scene.test_node, &other));
}

#[test]
fn an_entry_that_is_dropped_is_written_again_at_once() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let mac = pod.mac(&scene.test_node).unwrap();
    for _ in 0..3 {
        assert!(are_written(&scene.test_node, &pod));
        scene.test_node.block_on(async {
            let kernel = Connection::<Route>::new_in(scene.test_node.namespace()).unwrap();
            let mac = mac.clone().try_into().unwrap();
            kernel.del_fdb(pod.port(), mac, None).await.unwrap();
        });
        // Sooner than the rules are looked at by themselves.
        wait_until("it is written again", || {
            are_written(&scene.test_node, &pod)
        });
    }
}

#[test]
fn a_successor_keeps_the_entries_and_clears_those_of_pods_gone_meanwhile() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.api.delete(&other.running("other", "other"));
    assert!(are_written(&scene.test_node, &pod) && are_written(&scene.test_node, &other));
    scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
    wait_until("what is gone is cleared", || {
        are_gone(&scene.test_node, &other)
    });
    assert!(are_written(&scene.test_node, &pod));
}

#[test]
fn without_the_api_server_a_successor_keeps_everything() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    scene.api.stop();
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.daemon = Daemon::spawn(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
    wait_until("it has taken over", || {
        scene
            .daemon
            .log()
            .contains("rules of an earlier daemon taken over")
    });
    assert!(are_written(&scene.test_node, &pod));
    // It is known to the kernel, and to nobody who could say what it may have.
    assert_eq!(
        pod.curl(&[
            "-m",
            "2",
            "-H",
            "Metadata:true",
            podid_tests::node::TOKEN_URL
        ])
        .token(),
        None
    );
}

#[test]
fn uninstall_removes_the_entries_too() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert!(are_written(&scene.test_node, &pod));
    scene.daemon.end(Signal::SIGTERM).unwrap();
    assert!(are_written(&scene.test_node, &pod), "until then they stay");
    let done = in_namespace(scene.test_node.namespace(), || {
        Command::new(nmi()).arg("uninstall").status()
    });
    assert!(done.unwrap().unwrap().success());
    assert!(are_gone(&scene.test_node, &pod));
}
