//! What the node writes down of a proved pod on a bridge, so that it need not be learned from whoever
//! speaks last: the neighbour entry that gives its MAC, and the bridge's entry that gives its port.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use nix::sys::signal::Signal;
use nlink::netlink::{Connection, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Daemon, Machine, Pod, wait_until};

use crate::scene::{Scene, nmi};

/// The MAC that the node has written down for an address.
fn fixed_neighbor(machine: &Machine, address: Ipv4Addr) -> Option<Vec<u8>> {
    machine.block_on(async {
        let kernel = Connection::<Route>::new_in(machine.namespace()).unwrap();
        let neighbors = kernel.get_neighbors().await.unwrap();
        neighbors
            .iter()
            .filter(|n| n.is_permanent() && n.destination() == Some(&IpAddr::V4(address)))
            .find_map(|n| n.lladdr().map(<[u8]>::to_vec))
    })
}

/// The ports at which the node's bridge expects a MAC; of those, whether that is written down.
pub(crate) fn ports(machine: &Machine, mac: &[u8]) -> Vec<(String, bool)> {
    machine.block_on(async {
        let kernel = Connection::<Route>::new_in(machine.namespace()).unwrap();
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

fn are_written(machine: &Machine, pod: &Pod) -> bool {
    let mac = pod.mac(machine).unwrap();
    fixed_neighbor(machine, pod.address).as_ref() == Some(&mac)
        && ports(machine, &mac) == [(pod.port(), true)]
}

fn are_gone(machine: &Machine, pod: &Pod) -> bool {
    let written = |(_, fixed): &(String, bool)| *fixed;
    fixed_neighbor(machine, pod.address).is_none()
        && !ports(machine, &pod.mac(machine).unwrap())
            .iter()
            .any(written)
}

#[test]
fn a_proved_pods_entries_are_written_and_go_with_it() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    assert!(are_written(&scene.machine, &pod));
    scene.api.delete(&pod.running("one", "one"));
    wait_until("the entries are gone", || are_gone(&scene.machine, &pod));
    assert!(are_written(&scene.machine, &other));
}

#[test]
fn a_successor_keeps_the_entries_and_clears_those_of_pods_gone_meanwhile() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.api.delete(&other.running("other", "other"));
    assert!(are_written(&scene.machine, &pod) && are_written(&scene.machine, &other));
    scene.daemon = Daemon::start(&nmi(), &scene.machine, &scene.api, &[]).unwrap();
    wait_until("what is gone is cleared", || {
        are_gone(&scene.machine, &other)
    });
    assert!(are_written(&scene.machine, &pod));
}

#[test]
fn without_the_api_server_a_successor_keeps_everything() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    scene.api.stop();
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.daemon = Daemon::spawn(&nmi(), &scene.machine, &scene.api, &[]).unwrap();
    wait_until("it has taken over", || {
        scene.daemon.log().contains("taken over")
    });
    assert!(are_written(&scene.machine, &pod));
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
    assert!(are_written(&scene.machine, &pod));
    scene.daemon.end(Signal::SIGTERM).unwrap();
    assert!(are_written(&scene.machine, &pod), "until then they stay");
    let done = in_namespace(scene.machine.namespace(), || {
        Command::new(nmi()).arg("uninstall").status()
    });
    assert!(done.unwrap().unwrap().success());
    assert!(are_gone(&scene.machine, &pod));
}
