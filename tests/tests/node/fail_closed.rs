//! Whatever happens to the daemon, no pod reaches the node's own metadata service.

use std::net::{SocketAddr, TcpListener};

use nix::sys::signal::Signal;
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_netfilter::{TABLE, WIRE_SERVER};
use podid_tests::node::{Daemon, NODE_TOKEN, Pod, TOKEN_URL, TestNode, wait_until};
use std::process::Command;

use crate::scene::{NETWORKS, Scene, nmi};

fn ask_quickly(pod: &Pod) -> podid_tests::node::Answer {
    pod.curl(&["-m", "2", "-H", "Metadata:true", TOKEN_URL])
}

/// Names of the node's nftables tables.
fn tables(test_node: &TestNode) -> Vec<String> {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        let tables = kernel.list_tables().await.unwrap();
        tables
            .into_iter()
            .map(|table| format!("{} {}", table.family, table.name))
            .collect()
    })
}

#[test]
fn the_rules_outlive_the_daemon_however_it_ends() {
    for network in NETWORKS {
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            let mut scene = Scene::start(network);
            let pod = scene.pod_with_identity("one");
            let stranger = scene.test_node.add_pod().unwrap();
            let ended = scene.daemon.end(signal).unwrap();
            assert_eq!(ended.success(), signal == Signal::SIGTERM, "{ended}");
            for pod in [&pod, &stranger] {
                let answer = ask_quickly(pod);
                assert_eq!(
                    (answer.status, answer.exit),
                    (0, 28),
                    "{network:?} {signal}: neither answered nor refused"
                );
            }
            assert!(
                !scene.imds.client_ids().contains(&String::new()),
                "{network:?} {signal}"
            );
        }
    }
}

#[test]
fn a_ready_daemon_has_closed_bridges_before_any_pod_is_there() {
    let scene = Scene::start(Network::Bridge);
    assert_eq!(scene.attested(), 0);
    for family in ["inet", "bridge"] {
        let table = format!("{family} {TABLE}");
        assert!(tables(&scene.test_node).contains(&table), "{table}");
    }
}

#[test]
fn a_successor_serves_the_same_pods() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
    wait_until("the pod is proved again", || scene.attested() == 1);
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
}

#[test]
fn a_pod_that_never_stops_asking_never_sees_the_nodes_token() {
    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let (done, seen) = (
        std::sync::atomic::AtomicBool::new(false),
        std::sync::Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let answer = ask_quickly(&pod);
                seen.lock()
                    .unwrap()
                    .extend(answer.token().map(str::to_owned));
            }
        });
        for signal in [
            Signal::SIGTERM,
            Signal::SIGKILL,
            Signal::SIGTERM,
            Signal::SIGKILL,
        ] {
            scene.daemon.end(signal).unwrap();
            scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
            wait_until("the pod is proved again", || scene.attested() == 1);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.iter().all(|token| token == "token-of-client-one"),
        "{seen:?}"
    );
    assert!(!scene.imds.client_ids().contains(&String::new()));
}

#[test]
fn uninstall_removes_podids_tables_and_nothing_else() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        scene.test_node.block_on(async {
            let kernel = Connection::<Nftables>::new_in(scene.test_node.namespace()).unwrap();
            kernel
                .add_table("somebody-elses", Family::Inet)
                .await
                .unwrap();
        });
        scene.daemon.end(Signal::SIGTERM).unwrap();
        assert!(tables(&scene.test_node).contains(&format!("bridge {TABLE}")));
        for _ in 0..2 {
            let done = in_namespace(scene.test_node.namespace(), || {
                Command::new(nmi()).arg("uninstall").status()
            });
            assert!(
                done.unwrap().unwrap().success(),
                "a second time is fine too"
            );
        }
        assert_eq!(tables(&scene.test_node), ["inet somebody-elses"]);
        // That pods reach it now proves that it was the rules which kept them from it.
        assert_eq!(pod.ask().token(), Some(NODE_TOKEN), "{network:?}");
    }
}

#[test]
fn rules_that_somebody_flushes_are_mended() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        let before = tables(&scene.test_node);
        scene.test_node.block_on(async {
            let kernel = Connection::<Nftables>::new_in(scene.test_node.namespace()).unwrap();
            kernel.flush_ruleset().await.unwrap();
        });
        wait_until("the rules are back", || tables(&scene.test_node) == before);
        assert_eq!(
            pod.ask().token(),
            Some("token-of-client-one"),
            "{network:?}"
        );
    }
}

#[test]
fn the_wire_server_is_closed_to_pods_but_for_dns() {
    let scene = Scene::start(Network::Routed);
    let pod = scene.pod_with_identity("one");
    let router = scene.test_node.router();
    scene.test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(router.as_path()).unwrap();
        kernel
            .add_address(Ipv4Address::new("lo", WIRE_SERVER, 32))
            .await
            .unwrap();
    });
    let listeners: Vec<TcpListener> = [80, 53, 32526]
        .into_iter()
        .map(|port| SocketAddr::from((WIRE_SERVER, port)))
        .map(|at| {
            in_namespace(&router, || TcpListener::bind(at))
                .unwrap()
                .unwrap()
        })
        .collect();
    for (port, open) in [(80, false), (32526, false), (53, true)] {
        let to = std::net::SocketAddrV4::new(WIRE_SERVER, port);
        let connected = in_namespace(pod.namespace(), || {
            std::net::TcpStream::connect_timeout(&to.into(), std::time::Duration::from_secs(1))
        });
        assert_eq!(connected.unwrap().is_ok(), open, "port {port}");
    }
    drop(listeners);
}

#[test]
fn without_privileges_it_says_what_is_missing() {
    let output = Command::new("setpriv")
        .args(["--bounding-set=-net_admin", "--inh-caps=-all", "--"])
        .arg(nmi())
        .args(["--node-name", "n", "--kubeconfig", "none"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("NET_ADMIN"), "{text}");
}
