//! A neighbour that wants another pod's token. It may do in its own namespace whatever it likes.

use std::net::{IpAddr, Ipv4Addr};

use nlink::netlink::{Connection, Route};
use podid_lab::Network;
use podid_tests::node::{TestNode, wait_until};

use crate::scene::{NETWORKS, Scene};

/// The hardware address to which the node would send what is for `address`.
fn neighbour(test_node: &TestNode, address: Ipv4Addr) -> Option<Vec<u8>> {
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(test_node.namespace()).ok()?;
        let neighbours = kernel.get_neighbors().await.ok()?;
        let one = neighbours
            .iter()
            .find(|n| n.destination() == Some(&IpAddr::V4(address)))?;
        one.lladdr().map(<[u8]>::to_vec)
    })
}

#[test]
fn a_borrowed_address_gets_nothing() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let victim = scene.pod_with_identity("victim");
        let attacker = scene.pod_with_identity("attacker");
        assert_eq!(victim.ask().status, 200);
        attacker
            .take_address(&scene.test_node, victim.address)
            .unwrap();
        for _ in 0..3 {
            assert_eq!(attacker.ask_as(victim.address).token(), None, "{network:?}");
        }
        assert_eq!(
            victim.ask().token(),
            Some("token-of-client-victim"),
            "{network:?}"
        );
        // Its own kernel takes a moment to find the gateway again, after asking in another's name.
        wait_until("the attacker has its own token", || {
            attacker.ask_as(attacker.address).token() == Some("token-of-client-attacker")
        });
    }
}

#[test]
fn arp_cannot_draw_a_pods_answers_away() {
    let test_node = TestNode::start(Network::Bridge).unwrap();
    let (victim, attacker) = (test_node.add_pod().unwrap(), test_node.add_pod().unwrap());
    let gateway = format!("http://{}:1/", test_node.network.pod_range().gateway());
    attacker.take_address(&test_node, victim.address).unwrap();

    // Without podid the attack works: the node believes the attacker.
    let _refused = victim.curl(&["-m", "1", &gateway]);
    let _refused = attacker.curl(&[
        "-m",
        "1",
        "--interface",
        &victim.address.to_string(),
        &gateway,
    ]);
    let attackers = attacker.mac(&test_node).unwrap();
    assert_eq!(
        neighbour(&test_node, victim.address),
        Some(attackers),
        "the attack is a real one"
    );
    drop((victim, attacker, test_node));

    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.pod_with_identity("attacker");
    assert_eq!(victim.ask().status, 200);
    let victims = victim.mac(&scene.test_node).unwrap();
    attacker
        .take_address(&scene.test_node, victim.address)
        .unwrap();
    for _ in 0..3 {
        assert_eq!(attacker.ask_as(victim.address).token(), None);
        let as_victim = victim.address.to_string();
        let _unheard = attacker.curl(&["-m", "1", "--interface", &as_victim, &gateway]);
        assert_eq!(
            neighbour(&scene.test_node, victim.address),
            Some(victims.clone())
        );
    }
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
}

#[test]
fn a_borrowed_hardware_address_gets_nothing_either() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.pod_with_identity("attacker");
    let victims = victim.mac(&scene.test_node).unwrap();
    attacker
        .take_address(&scene.test_node, victim.address)
        .unwrap();
    attacker.take_mac(&scene.test_node, &victims).unwrap();
    for _ in 0..3 {
        assert_eq!(attacker.ask_as(victim.address).token(), None);
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
    }
}

#[test]
fn an_address_that_passes_on_takes_nothing_with_it() {
    let scene = Scene::start(Network::Routed);
    let first = scene.pod_with_identity("first");
    let second = scene.pod_with_identity("second");
    assert_eq!(first.ask().status, 200);
    // The API server moves the address to another pod; the kernel has not.
    scene.api.delete(&first.running("first", "first"));
    let mut moved = second.running("second", "second");
    moved["status"]["podIP"] = first.address.to_string().into();
    moved["status"]["podIPs"][0]["ip"] = first.address.to_string().into();
    scene.api.put(&moved);
    wait_until("the disagreement is seen", || {
        scene
            .api
            .events()
            .iter()
            .any(|event| event.contains("NotAttested"))
    });
    for pod in [&first, &second] {
        let answer = pod.curl(&[
            "-m",
            "1",
            "-H",
            "Metadata:true",
            podid_tests::node::TOKEN_URL,
        ]);
        assert_eq!(answer.token(), None);
    }
}
