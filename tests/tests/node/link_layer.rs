//! A neighbour on the same bridge that makes frames by hand, for which a container needs NET_RAW and
//! nothing else, and one that changes its own link, for which it needs NET_ADMIN.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::time::Duration;

use nlink::netlink::{Connection, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Impostor, Machine, Pod, wait_until};

use crate::scene::Scene;

/// VLAN tags of 802.1Q and 802.1ad.
const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;
/// Ways to put tags before what a frame carries. VLAN 0 is no VLAN: whoever receives such a frame
/// strips the tag and takes what is in it.
const TAGS: [&[u16]; 6] = [&[], &[Q], &[AD], &[AD, Q], &[Q, Q], &[Q, AD, Q]];

/// Whether the node shows bridged frames to the rules of the inet family.
fn show_bridged_frames(machine: &Machine, on: &str) {
    for key in ["call-iptables", "filter-vlan-tagged"] {
        let file = format!("/proc/sys/net/bridge/bridge-nf-{key}");
        in_namespace(machine.namespace(), || fs::write(&file, on))
            .unwrap()
            .unwrap();
    }
}

#[test]
fn frames_that_hide_what_they_carry_get_nothing() {
    for bridged in ["0", "1"] {
        let scene = Scene::start(Network::Bridge);
        show_bridged_frames(&scene.machine, bridged);
        let victim = scene.pod_with_identity("victim");
        let attested = scene.pod_with_identity("attacker");
        let unknown = scene.machine.add_pod().unwrap();
        let mut port = 40_000;
        for attacker in [&attested, &unknown] {
            for tags in TAGS {
                let impostor = Impostor::new(&scene.machine, attacker, &victim, tags).unwrap();
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

#[test]
fn ordinary_traffic_passes() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    let other = scene.pod_with_identity("other");
    let unknown = scene.machine.add_pod().unwrap();
    for (from, to) in [(&one, &other), (&one, &unknown), (&unknown, &one)] {
        wait_until("IPv6 is set up", || {
            link_local(&scene.machine, to).is_some()
        });
        let six = link_local(&scene.machine, to).unwrap();
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
fn link_local(machine: &Machine, pod: &Pod) -> Option<Ipv6Addr> {
    machine.block_on(async {
        let kernel = Connection::<Route>::new_in(pod.namespace()).unwrap();
        let addresses = kernel.get_addresses().await.unwrap();
        addresses.iter().find_map(|a| match a.primary_address() {
            Some(IpAddr::V6(six)) if six.is_unicast_link_local() => Some(*six),
            _ => None,
        })
    })
}
