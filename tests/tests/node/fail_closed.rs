//! Whatever happens to the daemon, no pod reaches the node's own metadata service.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use nlink::netlink::addr::Ipv4Address;
use nlink::netlink::nftables::Family;
use nlink::netlink::{Connection, Nftables, Route};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_netfilter::{IMDS, IMDS_PORT, TABLE, WIRE_SERVER};
use podid_tests::node::{Daemon, NODE_TOKEN, Pod, TOKEN_URL, TestNode, wait_until};

use crate::scene::{NETWORKS, Scene, nmi};

fn ask_quickly(pod: &Pod) -> podid_tests::node::Answer {
    pod.curl(&["-m", "2", "-H", "Metadata:true", TOKEN_URL])
}

/// Names of the node's nftables tables.
fn tables(test_node: &TestNode) -> BTreeSet<String> {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        let tables = kernel.list_tables().await.unwrap();
        tables
            .into_iter()
            .map(|table| format!("{} {}", table.family, table.name))
            .collect()
    })
}

/// Ends what runs beside a test, however the test ends.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
    let (done, seen) = (AtomicBool::new(false), std::sync::Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let answer = ask_quickly(&pod);
                seen.lock()
                    .unwrap()
                    .extend(answer.token().map(str::to_owned));
            }
        });
        let _end = SetAtEnd(&done);
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
        assert_eq!(
            tables(&scene.test_node),
            ["inet somebody-elses".to_owned()].into()
        );
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
        take_away(&scene.test_node, true);
        wait_until("the rules are back", || tables(&scene.test_node) == before);
        assert_eq!(
            pod.ask().token(),
            Some("token-of-client-one"),
            "{network:?}"
        );
    }
}

/// How often the rules are taken away. Each time they are gone for some milliseconds.
const TIMES: usize = 40;
/// How long a pod waits for a connection, and then for an answer, before it tries anew: so it asks in every moment
/// without rules.
const PATIENCE: Duration = Duration::from_millis(5);

/// Asks for a token again and again, at least once and until `done`, by connections of its own; how often, and the
/// answers.
fn ask_without_pause(pod: &Pod, done: &AtomicBool) -> (usize, Vec<String>) {
    let path = TOKEN_URL.trim_start_matches("http://169.254.169.254");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {IMDS}\r\nMetadata: true\r\nConnection: close\r\n\r\n"
    );
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&(IMDS, IMDS_PORT).into(), PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    let asking = || {
        let (mut asked, mut answers) = (0, Vec::new());
        while asked == 0 || !done.load(Ordering::Relaxed) {
            asked += 1;
            answers.extend(ask());
        }
        (asked, answers)
    };
    in_namespace(pod.namespace(), asking).unwrap()
}

/// Takes podid's rules away, as `nft flush ruleset` or `nft delete table` does.
fn take_away(test_node: &TestNode, is_all: bool) {
    test_node.block_on(async {
        let kernel = Connection::<Nftables>::new_in(test_node.namespace()).unwrap();
        match is_all {
            true => kernel.flush_ruleset().await.unwrap(),
            false => kernel.del_table(TABLE, Family::Inet).await.unwrap(),
        }
    });
}

#[test]
fn while_the_rules_are_away_pods_reach_nothing() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        let stranger = scene.test_node.add_pod().unwrap();
        let before = tables(&scene.test_node);
        let done = AtomicBool::new(false);
        let answers = std::thread::scope(|scope| {
            let asking = [&pod, &stranger].map(|pod| scope.spawn(|| ask_without_pause(pod, &done)));
            let end = SetAtEnd(&done);
            for time in 0..TIMES {
                take_away(&scene.test_node, time % 2 == 0);
                wait_until("the rules are back", || tables(&scene.test_node) == before);
            }
            drop(end);
            asking.map(|pod| pod.join().unwrap())
        });
        for (asked, answers) in answers {
            assert!(
                asked >= TIMES,
                "{network:?}: it asked all the time: {asked}"
            );
            let of_node = answers.iter().filter(|answer| answer.contains(NODE_TOKEN));
            assert_eq!(of_node.count(), 0, "{network:?}");
        }
        assert!(
            !scene.imds.client_ids().contains(&String::new()),
            "{network:?}"
        );
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
            TcpStream::connect_timeout(&to.into(), Duration::from_secs(1))
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
