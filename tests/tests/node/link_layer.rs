//! A neighbour on the same bridge that makes frames by hand, for which a container needs NET_RAW and
//! nothing else, and one that changes its own link, for which it needs NET_ADMIN.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nlink::netlink::{Connection, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{
    Daemon, Impostor, Mac, Pod, TestNode, assigned, azure_identity, binding, wait_until,
};

use crate::entries::ports;
use crate::scene::{Scene, nmi};

/// VLAN tags of 802.1Q and 802.1ad.
const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;
/// Ways to put tags before what a frame carries. VLAN 0 is no VLAN: whoever receives such a frame
/// strips the tag and takes what is in it.
pub(crate) const TAGS: [&[u16]; 6] = [&[], &[Q], &[AD], &[AD, Q], &[Q, Q], &[Q, AD, Q]];

/// Whether the node shows bridged frames to the rules of the inet family.
pub(crate) fn show_bridged_frames(test_node: &TestNode, on: &str) {
    for key in ["call-iptables", "filter-vlan-tagged"] {
        let file = format!("/proc/sys/net/bridge/bridge-nf-{key}");
        in_namespace(test_node.namespace(), || fs::write(&file, on))
            .unwrap()
            .unwrap();
    }
}

#[test]
fn frames_that_hide_what_they_carry_get_nothing() {
    for bridged in ["0", "1"] {
        let scene = Scene::start(Network::Bridge);
        show_bridged_frames(&scene.test_node, bridged);
        let victim = scene.pod_with_identity("victim");
        let attested = scene.pod_with_identity("attacker");
        let unknown = scene.test_node.add_pod().unwrap();
        let mut port = 40_000;
        for attacker in [&attested, &unknown] {
            for tags in TAGS {
                let impostor = Impostor::new(&scene.test_node, attacker, &victim, tags).unwrap();
                for _ in 0..2 {
                    port += 1;
                    let answer = impostor.ask(port).unwrap();
                    let context = format!("{tags:x?}, bridged frames shown: {bridged}");
                    assert_eq!(answer, None, "{context}");
                }
            }
        }
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
    }
}

/// The ports at which the node's bridge expects a MAC.
fn ports_of(test_node: &TestNode, mac: &[u8]) -> Vec<String> {
    let ports = ports(test_node, mac).into_iter();
    ports.map(|(port, _)| port).collect()
}

/// What a neighbour that stands between the node and the victim hears while `work` is done.
fn overheard(impostor: &Impostor<'_>, work: impl FnOnce()) -> String {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let relay = scope.spawn(|| impostor.relay(&stop).unwrap());
        work();
        stop.store(true, Ordering::Relaxed);
        relay.join().unwrap()
    })
}

/// Asks a few times, with a limit that lets a stolen answer be a lost one.
fn ask_often(pod: &Pod) {
    for _ in 0..5 {
        let _answer = pod.curl(&[
            "-m",
            "2",
            "-H",
            "Metadata:true",
            podid_tests::node::TOKEN_URL,
        ]);
    }
}

#[test]
fn a_restart_opens_no_gap_for_a_neighbour() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut scene = Scene::start(Network::Bridge);
        let victim = scene.pod_with_identity("victim");
        let attacker = scene.pod_with_identity("attacker");
        assert_eq!(victim.ask().status, 200);
        let impostor = Impostor::new(&scene.test_node, &attacker, &victim, &[]).unwrap();
        let heard = overheard(&impostor, || {
            scene.daemon.end(signal).unwrap();
            scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
            wait_until("both pods are proved again", || scene.attested() == 2);
            ask_often(&victim);
        });
        assert!(!heard.contains("token"), "{signal}: {heard}");
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
    }
}

#[test]
fn nobody_speaks_as_a_pod_that_is_not_proved_yet() {
    for attested in [true, false] {
        let scene = Scene::start(Network::Bridge);
        let attacker = match attested {
            true => scene.pod_with_identity("attacker"),
            false => scene.test_node.add_pod().unwrap(),
        };
        let before = scene.attested();
        let victim = scene.test_node.add_pod().unwrap();
        // So that the victim knows the way to the node, and has no reason to make itself heard.
        let gateway = format!(
            "http://{}:1/",
            scene.test_node.network.pod_range().gateway()
        );
        let _refused = victim.curl(&["-m", "1", &gateway]);
        let impostor = Impostor::new(&scene.test_node, &attacker, &victim, &[]).unwrap();
        let heard = overheard(&impostor, || {
            scene.api.put(&azure_identity("victim"));
            scene.api.put(&binding("victim", "victim"));
            let assigned = assigned("victim", &victim.uid, "victim", "Assigned");
            scene.api.put(&assigned);
            scene.api.put(&victim.running("victim", "victim"));
            wait_until("the victim is proved", || scene.attested() == before + 1);
            ask_often(&victim);
        });
        assert!(!heard.contains("token"), "{attested}: {heard}");
        assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
    }
}

#[test]
fn a_mac_taken_after_the_proof_is_not_believed() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.pod_with_identity("attacker");
    assert_eq!(victim.ask().status, 200);
    let victims = victim.mac(&scene.test_node).unwrap();
    attacker.take_mac(&scene.test_node, &victims).unwrap();
    // Something about the attacker changes, so that it is looked at again.
    scene.api.put(&attacker.running("attacker", "another"));
    let impostor = Impostor::new(&scene.test_node, &attacker, &victim, &[]).unwrap();
    let events = || scene.api.events();
    let mut told = false;
    for _ in 0..100 {
        impostor.claim().unwrap();
        assert_eq!(ports_of(&scene.test_node, &victims), [victim.port()]);
        told = told || events().iter().any(|e| e.contains("hardware address"));
        thread::sleep(Duration::from_millis(10));
    }
    assert!(told, "{:?}", events());
    assert_eq!(scene.attested(), 1);
    let heard = overheard(&impostor, || ask_often(&victim));
    assert!(!heard.contains("token"), "{heard}");
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
}

#[test]
fn a_mac_taken_before_the_proof_is_not_believed_either() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.test_node.add_pod().unwrap();
    let victims = victim.mac(&scene.test_node).unwrap();
    attacker.take_mac(&scene.test_node, &victims).unwrap();
    scene.api.put(&attacker.running("attacker", "attacker"));
    wait_until("an Event says so", || {
        let told = |event: &String| event.contains("hardware address");
        scene.api.events().iter().any(told)
    });
    assert_eq!(scene.attested(), 1);
    assert_eq!(ports_of(&scene.test_node, &victims), [victim.port()]);
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
}

#[test]
fn frames_to_the_bridge_protocols_addresses_teach_the_bridge_nothing() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attested = scene.pod_with_identity("attacker");
    let unknown = scene.test_node.add_pod().unwrap();
    let victims: Mac = victim.mac(&scene.test_node).unwrap().try_into().unwrap();
    for attacker in [&attested, &unknown] {
        let impostor = Impostor::new(&scene.test_node, attacker, &victim, &[]).unwrap();
        for last in 0..16 {
            let to = [0x01, 0x80, 0xc2, 0, 0, last];
            for kind in [0x88cc, 0x0800, 0x0806] {
                impostor.frame(to, victims, kind, &[0; 46]).unwrap();
            }
        }
        assert_eq!(ports_of(&scene.test_node, &victims), [victim.port()]);
    }
}

#[test]
fn ordinary_traffic_passes() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    let unknown = scene.test_node.add_pod().unwrap();
    for (from, to) in [(&one, &other), (&one, &unknown), (&unknown, &one)] {
        wait_until("IPv6 is set up", || {
            link_local(&scene.test_node, to).is_some()
        });
        let six = link_local(&scene.test_node, to).unwrap();
        let index = in_namespace(from.namespace(), || nix::net::if_::if_nametoindex("eth0"));
        let six = SocketAddrV6::new(six, 0, 0, index.unwrap().unwrap());
        for (to_address, any) in [
            (SocketAddr::from((to.address, 0)), "0.0.0.0:0"),
            (SocketAddr::V6(six), "[::]:0"),
        ] {
            let listener = in_namespace(to.namespace(), || TcpListener::bind(any));
            let listener = listener.unwrap().unwrap();
            let mut at = to_address;
            at.set_port(listener.local_addr().unwrap().port());
            wait_until(&format!("{at} answers"), || {
                let second = Duration::from_secs(1);
                let connected =
                    in_namespace(from.namespace(), || TcpStream::connect_timeout(&at, second));
                connected.unwrap().is_ok()
            });
        }
    }
}

/// The pod's own address of the link, once nobody else has claimed it.
fn link_local(test_node: &TestNode, pod: &Pod) -> Option<Ipv6Addr> {
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(pod.namespace()).unwrap();
        let addresses = kernel.get_addresses().await.unwrap();
        addresses.iter().find_map(|a| match a.primary_address() {
            Some(IpAddr::V6(six)) if six.is_unicast_link_local() => Some(*six),
            _ => None,
        })
    })
}
