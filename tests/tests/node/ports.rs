//! Neighbours that go for what is the node's: a pod's port, for which a container needs NET_ADMIN
//! without a user namespace of its own, and the node's own address on the bridge, for which it needs
//! NET_RAW and not to be proved.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables, Route};
use podid_lab::Network;
use podid_tests::node::{Impostor, Pod, TestNode, wait_until};

use crate::link_layer::{TAGS, show_bridged_frames};
use crate::requests::{PATH, metadata};
use crate::scene::Scene;

#[test]
fn who_takes_a_neighbours_port_gets_nothing() {
    for proved in [true, false] {
        let scene = Scene::start(Network::Bridge);
        let victim = scene.pod_with_identity("victim");
        let attacker = match proved {
            true => scene.pod_with_identity("attacker"),
            false => scene.test_node.add_pod().unwrap(),
        };
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
        attacker.take_port(&scene.test_node, &victim).unwrap();
        for _ in 0..4 {
            assert_eq!(attacker.ask_as(victim.address).token(), None);
        }
        // Sooner than a proved pod is looked at again by itself.
        wait_until("the victim is proved no more", || {
            scene.attested() == usize::from(proved)
        });
        let callers = elements(&scene.test_node, "callers");
        assert!(
            callers
                .iter()
                .all(|key| !key.ends_with(&victim.address.octets()))
        );
    }
}

/// The daemon does not ask the kernel about a link for every token. Here it has just done so when the port is taken.
#[test]
fn who_takes_the_port_of_a_pod_that_asks_all_the_time_gets_nothing() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.pod_with_identity("attacker");
    let request =
        format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\nconnection: close\r\n\r\n");
    let request = request.as_bytes();
    let (answers, taken) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !taken.load(Ordering::Relaxed) {
                let answer = victim.send(metadata(), request);
                let issued = answer.is_ok_and(|text| text.contains("token-of-client-victim"));
                answers.fetch_add(usize::from(issued), Ordering::Relaxed);
            }
        });
        wait_until("the victim gets tokens", || {
            answers.load(Ordering::Relaxed) > 200
        });
        attacker.take_port(&scene.test_node, &victim).unwrap();
        let silence = Duration::from_secs(2);
        let stolen = attacker.send_as(victim.address, metadata(), request, silence);
        taken.store(true, Ordering::Relaxed);
        let stolen = stolen.unwrap_or_default();
        assert!(!stolen.contains("token-of"), "{stolen}");
    });
}

#[test]
fn nobody_speaks_as_the_node() {
    for bridged in ["0", "1"] {
        let scene = Scene::start(Network::Bridge);
        show_bridged_frames(&scene.test_node, bridged);
        let victim = scene.pod_with_identity("victim");
        let attested = scene.pod_with_identity("attacker");
        let unknown = scene.test_node.add_pod().unwrap();
        assert_eq!(victim.ask().status, 200);
        for attacker in [&attested, &unknown] {
            for tags in TAGS {
                let impostor = Impostor::new(&scene.test_node, attacker, &victim, tags).unwrap();
                for _ in 0..5 {
                    impostor.claim_to_be_the_node().unwrap();
                    let context = format!("{tags:x?}, bridged frames shown: {bridged}");
                    assert_ne!(
                        gateway_of(&scene.test_node, &victim),
                        impostor.mac,
                        "{context}"
                    );
                }
                assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
            }
        }
    }
}

#[test]
fn the_guard_follows_the_bridge() {
    let scene = Scene::start(Network::Bridge);
    let _pod = scene.pod_with_identity("one");
    let old = scene.test_node.bridge_mac().unwrap();
    let more = Ipv4Addr::new(192, 0, 2, 7);
    assert!(elements(&scene.test_node, "macs").contains(old.as_slice()));
    assert!(!elements(&scene.test_node, "addresses").contains(more.octets().as_slice()));
    let new = [2, 0, 0, 0, 0, 7];
    scene.test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(scene.test_node.namespace()).unwrap();
        kernel.set_link_address("cni0", new).await.unwrap();
        let address = Ipv4Address::new("cni0", more, 32);
        kernel.add_address(address).await.unwrap();
    });
    wait_until("both are guarded, and the old one is not", || {
        let macs = elements(&scene.test_node, "macs");
        macs.contains(new.as_slice())
            && !macs.contains(old.as_slice())
            && elements(&scene.test_node, "addresses").contains(more.octets().as_slice())
    });
    assert_eq!(
        scene.daemon.metric("podid_nmi_rules_repaired_total"),
        Some(0)
    );
}

/// The elements of a set of the bridge's guard.
fn elements(test_node: &TestNode, set: &str) -> BTreeSet<Vec<u8>> {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        let elements = kernel.list_set_elements("podid", set, Family::Bridge).await;
        elements.unwrap().iter().map(|e| e.key().to_vec()).collect()
    })
}

/// Where a pod believes the node's address on the bridge to be; zero when it does not know.
fn gateway_of(test_node: &TestNode, pod: &Pod) -> [u8; 6] {
    let gateway = IpAddr::V4(test_node.network.pod_range().gateway());
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(pod.namespace()).unwrap();
        let neighbors = kernel.get_neighbors().await.unwrap();
        let known = neighbors.iter().find(|n| n.destination() == Some(&gateway));
        let mac = known.and_then(|n| n.lladdr()?.try_into().ok());
        mac.unwrap_or_default()
    })
}
