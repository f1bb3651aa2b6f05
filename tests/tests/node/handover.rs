//! One daemon follows another: calls wait for the next one rather than fail, whether the earlier one is there or gone.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nlink::netlink::{Connection, SockDiag};
use nlink::sockdiag::{SocketFilter, TcpState};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_netfilter::{IMDS, IMDS_PORT};
use podid_tests::node::{Answer, CUT_OFF, Daemon, Pod, TestNode, wait_until};

use crate::scene::{NETWORKS, Scene, nmi};

/// What a daemon logs that shares the sockets of another one.
const BESIDE: &str = "listening with the daemon that runs";
/// What a daemon logs when it owns the rules of another one.
const FOLLOWS: &str = "rules of an earlier daemon taken over";

/// Longer than anything takes here that a request may have to wait for.
const PATIENT: [&str; 2] = ["--attest-wait", "20s"];

/// A daemon on the node of a scene, beside that of the scene.
pub(crate) fn another(scene: &Scene) -> Daemon {
    let daemon = Daemon::spawn(&nmi(), &scene.test_node, &scene.api, &PATIENT).unwrap();
    wait_until("it shares the sockets", || daemon.log().contains(BESIDE));
    daemon
}

/// Whether a pod has a connection in this state.
fn has_connection(test_node: &TestNode, pod: &Pod, state: TcpState) -> bool {
    test_node.block_on(async {
        let kernel = Connection::<SockDiag>::new_in(pod.namespace()).unwrap();
        let filter = SocketFilter::tcp().ipv4().states(&[state]).build();
        !kernel.query(&filter).await.unwrap().is_empty()
    })
}

/// Asks again and again, by a new connection each, until `done`; returns all answers.
fn poll(pod: &Pod, done: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !done.load(Ordering::Relaxed) {
        answers.push(pod.ask());
    }
    answers
}

/// Lets two pods poll while something happens, and returns the answers of each, which are some.
fn polling(scene: &mut Scene, happens: impl FnOnce(&mut Scene, &[Pod; 2])) -> [Vec<Answer>; 2] {
    let pods = ["one", "two"].map(|name| scene.pod_with_identity(name));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = pods.each_ref().map(|pod| scope.spawn(|| poll(pod, &done)));
        happens(scene, &pods);
        done.store(true, Ordering::Relaxed);
        asking.map(|asking| asking.join().unwrap())
    })
}

#[test]
fn a_rolling_update_costs_nobody_an_answer() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let answers = polling(&mut scene, |scene, pods| {
            for _ in 0..3 {
                let next = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
                wait_until("the first has noticed", || !scene.daemon.is_ready());
                for pod in pods {
                    assert_eq!(pod.ask().status, 200);
                }
                let mut last = std::mem::replace(&mut scene.daemon, next);
                assert!(last.end(Signal::SIGTERM).unwrap().success());
                for pod in pods {
                    assert_eq!(pod.ask().status, 200);
                }
            }
        });
        for (name, answers) in ["one", "two"].iter().zip(answers) {
            let token = format!("token-of-client-{name}");
            assert!(!answers.is_empty());
            for answer in answers {
                assert_eq!(
                    answer.token(),
                    Some(token.as_str()),
                    "{network:?}: {answer:?}"
                );
            }
        }
        let nodes = String::new();
        assert!(!scene.imds.client_ids().contains(&nodes), "{network:?}");
    }
}

#[test]
fn daemons_that_are_killed_refuse_nobody() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let answers = polling(&mut scene, |scene, pods| {
            for _ in 0..3 {
                scene.daemon.end(Signal::SIGKILL).unwrap();
                scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
                for pod in pods {
                    assert_eq!(pod.ask().status, 200);
                }
            }
        });
        for (name, answers) in ["one", "two"].iter().zip(answers) {
            let token = format!("token-of-client-{name}");
            for answer in answers {
                // Nobody answers what the daemon had accepted when it was killed.
                let is_cut_off = answer.status == 0 && CUT_OFF.contains(&answer.exit);
                let is_answered = answer.token() == Some(token.as_str());
                assert!(is_answered || is_cut_off, "{network:?}: {answer:?}");
            }
        }
    }
}

#[test]
fn a_call_while_no_daemon_runs_waits_for_the_next_one() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        let stranger = scene.test_node.add_pod().unwrap();
        scene.daemon.end(Signal::SIGKILL).unwrap();
        thread::scope(|scope| {
            let asking = [&pod, &stranger].map(|pod| scope.spawn(|| pod.ask()));
            for pod in [&pod, &stranger] {
                wait_until("the pod calls", || {
                    has_connection(&scene.test_node, pod, TcpState::SynSent)
                });
            }
            assert!(!asking.iter().any(thread::ScopedJoinHandle::is_finished));
            scene.daemon = Daemon::start(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
            let [own, strangers] = asking.map(|asking| asking.join().unwrap());
            assert_eq!(
                own.token(),
                Some("token-of-client-one"),
                "{network:?}: {own:?}"
            );
            assert_eq!((strangers.status, strangers.token()), (503, None));
        });
    }
}

#[test]
fn a_connection_of_a_daemon_that_was_killed_is_ended_at_once() {
    let mut scene = Scene::start(Network::Routed);
    let pod = scene.pod_with_identity("one");
    let to = SocketAddrV4::new(IMDS, IMDS_PORT);
    let mut stream = in_namespace(pod.namespace(), || TcpStream::connect(to))
        .unwrap()
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(b"GET /metadata/identity").unwrap();
    scene.daemon.end(Signal::SIGKILL).unwrap();
    let ended = stream.read(&mut [0]);
    let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(
        matches!(&ended, Ok(0)) || ended.as_ref().is_err_and(is_reset),
        "{ended:?}"
    );
    wait_until("what is sent is refused", || {
        stream.write_all(b"/oauth2").is_err()
    });
}

#[test]
fn a_daemon_that_cannot_get_ready_leaves_the_calls_to_the_earlier_one() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    scene.api.hold();
    let next = another(&scene);
    let later = scene.pod_with_identity("two");
    for _ in 0..5 {
        assert_eq!(pod.ask().token(), Some("token-of-client-one"));
        assert_eq!(later.ask().token(), Some("token-of-client-two"));
    }
    assert!(scene.daemon.is_ready() && !next.is_ready());
    let probed = next.probe(&nmi()).unwrap();
    let missing = String::from_utf8_lossy(&probed.stderr);
    assert!(!probed.status.success());
    assert!(missing.contains("rules taken over"), "{missing}");
    assert!(missing.contains("watches synced"), "{missing}");

    scene.api.release();
    wait_until("it takes over", || next.is_ready());
    assert!(next.probe(&nmi()).unwrap().status.success());
    wait_until("the first has noticed", || !scene.daemon.is_ready());
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
    assert_eq!(later.ask().token(), Some("token-of-client-two"));
}

#[test]
fn a_call_that_waits_for_its_pod_at_the_earlier_daemon_is_answered_after_the_handover() {
    for network in NETWORKS {
        let scene = Scene::with_flags(network, &PATIENT);
        let pod = scene.test_node.add_pod().unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| pod.ask());
            let state = TcpState::Established;
            wait_until("the call has come", || {
                has_connection(&scene.test_node, &pod, state)
            });
            let next = another(&scene);
            wait_until("it takes over", || next.is_ready());
            wait_until("the first has noticed", || !scene.daemon.is_ready());
            scene.make_known(&pod, "one");
            let answer = asking.join().unwrap();
            assert_eq!(
                answer.token(),
                Some("token-of-client-one"),
                "{network:?}: {answer:?}"
            );
        });
    }
}

#[test]
fn an_earlier_daemon_that_is_killed_meanwhile_is_followed_at_once() {
    for network in NETWORKS {
        let mut scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        let stranger = scene.test_node.add_pod().unwrap();
        scene.api.hold();
        let next = another(&scene);
        scene.daemon.end(Signal::SIGKILL).unwrap();
        wait_until("it takes over", || next.log().contains(FOLLOWS));
        thread::scope(|scope| {
            let asking = scope.spawn(|| pod.ask());
            let borrowing = scope.spawn(|| stranger.ask());
            // It knows nobody yet, and lets the calls wait.
            for pod in [&pod, &stranger] {
                let state = TcpState::Established;
                wait_until("the call has come", || {
                    has_connection(&scene.test_node, pod, state)
                });
            }
            assert!(!asking.is_finished() && !borrowing.is_finished());
            scene.api.release();
            let answer = asking.join().unwrap();
            assert_eq!(
                answer.token(),
                Some("token-of-client-one"),
                "{network:?}: {answer:?}"
            );
            assert_eq!(borrowing.join().unwrap().token(), None);
        });
    }
}
