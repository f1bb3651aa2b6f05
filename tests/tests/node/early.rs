//! A container calls the moment it starts, before the API server has told the daemon of its pod. The very
//! connection that came too early is answered, if all of its packets were that pod's.

use std::net::SocketAddrV4;
use std::thread;

use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables};
use podid_lab::Network;
use podid_netfilter::{IMDS, IMDS_PORT};
use podid_tests::node::{
    Impostor, Pod, TOKEN_URL, TestNode, assigned, azure_identity, binding, pod as pod_object,
    wait_until,
};

use crate::crowds::connect_from;
use crate::scene::{NETWORKS, Scene};

/// How many senders of packets for the unattested listener the kernel has recorded.
fn recorded(test_node: &TestNode, family: Family) -> usize {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        let elements = kernel.list_set_elements("podid", "unattested", family);
        elements.await.unwrap().len()
    })
}

/// All objects of a pod with an identity, but its address is not known yet.
fn announce(scene: &Scene, pod: &Pod, name: &str) {
    scene.api.put(&azure_identity(name));
    scene.api.put(&binding(name, name));
    scene.api.put(&assigned(name, &pod.uid, name, "Assigned"));
    scene.api.put(&pod_object(name, &pod.uid, name, None));
}

fn token_request() -> String {
    let path = TOKEN_URL.strip_prefix("http://169.254.169.254").unwrap();
    format!("GET {path} HTTP/1.1\r\nHost: {IMDS}\r\nMetadata: true\r\n\r\n")
}

/// What a pod is answered that calls before its address is known, as the last of `calls`.
fn early_answer(scene: &Scene, pod: &Pod, calls: usize) -> String {
    announce(scene, pod, "one");
    let request = token_request();
    let to = SocketAddrV4::new(IMDS, IMDS_PORT);
    thread::scope(|threads| {
        let asking = threads.spawn(|| pod.send(to, request.as_bytes()).unwrap());
        wait_until("the call has come", || {
            recorded(&scene.test_node, Family::Inet) == calls
        });
        scene.api.put(&pod.running("one", "one"));
        asking.join().unwrap()
    })
}

#[test]
fn a_call_that_comes_before_its_pod_is_known_gets_its_token_on_the_same_connection() {
    for network in NETWORKS {
        let scene = Scene::with_flags(network, &["--attest-wait", "20s"]);
        let pod = scene.test_node.add_pod().unwrap();
        let answer = early_answer(&scene, &pod, 1);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{network:?}: {answer}");
        assert!(answer.contains("token-of-client-one"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(pod.ask().token(), Some("token-of-client-one"));
    }
}

/// More records than the kernel shows in one message.
#[test]
fn an_early_call_is_answered_however_many_others_came_early() {
    const OTHERS: usize = 60;
    let scene = Scene::with_flags(Network::Bridge, &["--attest-wait", "20s"]);
    let crowd = scene.test_node.add_pod().unwrap();
    let _open = connect_from(&scene, &crowd, crowd.address, OTHERS);
    let pod = scene.test_node.add_pod().unwrap();
    let answer = early_answer(&scene, &pod, OTHERS + 1);
    assert!(answer.contains("token-of-client-one"), "{answer}");
}

#[test]
fn a_call_in_the_name_of_a_pod_that_is_about_to_come_never_becomes_that_pods() {
    let scene = Scene::with_flags(Network::Bridge, &["--attest-wait", "20s"]);
    let attacker = scene.test_node.add_pod().unwrap();
    let next = attacker.address.octets();
    let next = [next[0], next[1], next[2], next[3] + 1].into();
    attacker.take_address(&scene.test_node, next).unwrap();
    let as_next = next.to_string();
    thread::scope(|scope| {
        let called = scope.spawn(|| {
            attacker.curl(&[
                "--interface",
                &as_next,
                "-m",
                "15",
                "-H",
                "Metadata:true",
                TOKEN_URL,
            ])
        });
        wait_until("the attacker's call has come", || {
            recorded(&scene.test_node, Family::Bridge) == 1
        });
        let victim = scene.test_node.add_pod().unwrap();
        assert_eq!(victim.address, next, "the attacker has guessed right");
        announce(&scene, &victim, "victim");
        scene.api.put(&victim.running("victim", "victim"));
        wait_until("the victim is proved", || scene.attested() == 1);
        wait_until("the attacker's call is refused", || {
            scene.daemon.log().contains(r#"outcome="NotAttested""#)
        });
        let asked = scene.imds.client_ids();
        assert!(asked.is_empty(), "IMDS was asked for {asked:?}");
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
        assert_eq!(called.join().unwrap().token(), None);
    });
}

#[test]
fn one_packet_of_a_neighbour_in_an_early_connection_makes_it_nobodys() {
    const PORT: u16 = 40_000;
    let scene = Scene::with_flags(Network::Bridge, &["--attest-wait", "20s"]);
    let victim = scene.test_node.add_pod().unwrap();
    let attacker = scene.test_node.add_pod().unwrap();
    let impostor = Impostor::new(&scene.test_node, &attacker, &victim, &[]).unwrap();
    announce(&scene, &victim, "victim");
    let port = PORT.to_string();
    thread::scope(|scope| {
        let asking =
            scope.spawn(|| victim.curl(&["--local-port", &port, "-H", "Metadata:true", TOKEN_URL]));
        wait_until("the call has come", || {
            recorded(&scene.test_node, Family::Bridge) == 1
        });
        impostor.intrude(PORT).unwrap();
        wait_until("the neighbour's packet has come", || {
            recorded(&scene.test_node, Family::Bridge) == 2
        });
        scene.api.put(&victim.running("victim", "victim"));
        let answer = asking.join().unwrap();
        assert_eq!((answer.status, answer.token()), (503, None));
    });
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
}

#[test]
fn an_invalid_packet_straight_to_a_listener_does_not_reach_it() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.test_node.add_pod().unwrap();
    let sender = Impostor::new(&scene.test_node, &pod, &pod, &[]).unwrap();
    let node = scene.test_node.address;
    let closed = SocketAddrV4::new(node, 1);
    assert!(
        sender.is_answered_when_invalid(closed).unwrap(),
        "a port without rules answers, so silence means something"
    );
    for port in [2579, 2580] {
        let listener = SocketAddrV4::new(node, port);
        assert!(
            !sender.is_answered_when_invalid(listener).unwrap(),
            "{port}"
        );
    }
}
