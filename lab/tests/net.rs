//! The lab's wires, in namespaces of the test's own. Needs root; fails without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod bench;

use std::net::{IpAddr, Ipv4Addr};

use bench::{Bench, block_on};
use podid_lab::Network;
use podid_lab::layout::{CONTROL_PLANE, IMDS};
use podid_lab::net::{Namespace, host_link_name};

const MODES: [Network; 2] = [Network::Bridge, Network::Routed];

#[test]
fn pods_reach_each_other_and_are_seen_as_they_are() {
    for mode in MODES {
        block_on(async {
            let bench = Bench::new(mode, 2).await;
            let one = bench.pod(0, "one").await;
            let neighbour = bench.pod(0, "neighbour").await;
            let remote = bench.pod(1, "remote").await;
            for (from, to) in [(&one, &neighbour), (&one, &remote), (&remote, &one)] {
                let seen = bench::call(&from.namespace, &to.namespace, to.address).unwrap();
                assert_eq!(
                    seen,
                    IpAddr::V4(from.address),
                    "{mode:?}: {from:?} to {to:?}"
                );
            }
        });
    }
}

#[test]
fn nodes_and_control_plane_reach_pods_and_back() {
    for mode in MODES {
        block_on(async {
            let bench = Bench::new(mode, 2).await;
            let pod = bench.pod(1, "app").await;
            let [own, other] = [&bench.nodes[1], &bench.nodes[0]];
            for from in [own.namespace(), other.namespace(), &bench.control_plane] {
                bench::call(from, &pod.namespace, pod.address)
                    .unwrap_or_else(|error| panic!("{mode:?}: {from:?} to the pod: {error}"));
            }
            let seen = bench::call(&pod.namespace, &bench.control_plane, CONTROL_PLANE).unwrap();
            assert_eq!(seen, IpAddr::V4(pod.address), "{mode:?}");
        });
    }
}

#[test]
fn the_metadata_address_is_off_the_nodes_and_sees_who_asks() {
    for mode in MODES {
        block_on(async {
            let bench = Bench::new(mode, 2).await;
            for (index, node) in bench.nodes.iter().enumerate() {
                let pod = bench.pod(index, &format!("pod-{index}")).await;
                let own = bench.layout.nodes[index].address;
                for (from, address) in [(&pod.namespace, pod.address), (node.namespace(), own)] {
                    let seen = bench::call(from, &bench.control_plane, IMDS).unwrap();
                    assert_eq!(seen, IpAddr::V4(address), "{mode:?}");
                }
            }
        });
    }
}

#[test]
fn there_is_no_way_out() {
    for mode in MODES {
        block_on(async {
            let machine = Namespace::own();
            let before = bench::links(&machine);
            let bench = Bench::new(mode, 1).await;
            let pod = bench.pod(0, "app").await;
            // A link has two ends: none is new on the machine, none is unknown in the lab.
            assert_eq!(bench::links(&machine), before, "{mode:?}");
            let lab: Vec<_> = bench::links(&bench.control_plane).into_iter().collect();
            assert_eq!(lab, ["cloud0", "lo", "node0"], "{mode:?}");
            let outside = Ipv4Addr::new(192, 0, 2, 1);
            for from in [
                &bench.control_plane,
                bench.nodes[0].namespace(),
                &pod.namespace,
            ] {
                let error = bench::connect(from, outside).unwrap_err();
                assert!(
                    bench::is_unreachable(&error),
                    "{mode:?}: {from:?} reached out: {error}"
                );
            }
        });
    }
}

#[test]
fn detaching_leaves_no_link_and_no_route() {
    for mode in MODES {
        block_on(async {
            let bench = Bench::new(mode, 1).await;
            let node = &bench.nodes[0];
            let before = bench::links_and_routes(node.namespace()).await;
            let pod = bench.pod(0, "app").await;
            let link = host_link_name(&pod.uid);
            let between = bench::links_and_routes(node.namespace()).await;
            assert!(
                between.iter().any(|entry| entry.contains(&link)),
                "{between:?}"
            );
            node.detach(&pod.uid).await.unwrap();
            assert_eq!(
                bench::links_and_routes(node.namespace()).await,
                before,
                "{mode:?}"
            );
            node.detach(&pod.uid).await.unwrap();
        });
    }
}

#[test]
fn attaching_twice_and_joining_a_node_twice_change_nothing() {
    for mode in MODES {
        block_on(async {
            let bench = Bench::new(mode, 1).await;
            let pod = bench.pod(0, "app").await;
            let node = &bench.nodes[0];
            let before = bench::links_and_routes(node.namespace()).await;
            node.attach(&pod).await.unwrap();
            assert_eq!(
                bench::links_and_routes(node.namespace()).await,
                before,
                "{mode:?}"
            );
            bench::call(&bench.control_plane, &pod.namespace, pod.address).unwrap();
            bench.join(0, mode).await;
            bench::call(
                &bench.control_plane,
                node.namespace(),
                bench.layout.nodes[0].address,
            )
            .unwrap();
        });
    }
}

#[test]
fn work_in_a_namespace_that_is_not_there_is_an_error() {
    let error = podid_lab::net::in_namespace("/nowhere/netns", || ()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/netns"), "{error}");
}
