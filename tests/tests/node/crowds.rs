//! One tenant's pods do not silence the node.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Daemon, Pod, TOKEN_URL, wait_until};
use tokio::net::TcpSocket;

use crate::requests::{PATH, metadata};
use crate::scene::{Scene, nmi};

/// Most connections of one attested pod (`server::limits`).
const MOST: usize = 128;

/// A crowd is a few thousand files of this process.
fn allow_many_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(
        hard >= 8192,
        "this test opens 6000 connections: raise `ulimit -Hn`"
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// Opens connections, and says `words` on each.
fn connect(pod: &Pod, count: usize, words: &[u8]) -> Vec<TcpStream> {
    let open = || TcpStream::connect(metadata());
    let streams = in_namespace(pod.namespace(), || {
        (0..count).filter_map(|_| open().ok()).collect()
    });
    let mut streams: Vec<TcpStream> = streams.unwrap();
    for stream in &mut streams {
        // Somebody who was cut off already has nothing to say.
        let _cut_off = stream.write_all(words);
    }
    streams
}

fn served(pod: &Pod, times: usize) -> usize {
    (0..times).filter(|_| pod.ask().status == 200).count()
}

#[test]
fn a_pod_that_opens_all_the_connections_it_can_keeps_nobody_else_out() {
    let scene = Scene::start(Network::Bridge);
    let greedy = scene.pod_with_identity("greedy");
    let modest = scene.pod_with_identity("modest");
    let open = connect(&greedy, 400, b"");
    assert_eq!(modest.ask().token(), Some("token-of-client-modest"));
    let ended = scene.daemon.metric("podid_nmi_connections_ended_total");
    assert_eq!(ended, Some(400 - MOST), "of {} connections", open.len());
    assert_eq!(greedy.ask().status, 200, "its idle ones make room");
}

/// All pods together open 256 connections each.
fn crowd(pods: &[Pod], words: &[u8]) -> Vec<TcpStream> {
    thread::scope(|scope| {
        let connecting = pods
            .iter()
            .map(|pod| scope.spawn(|| connect(pod, 256, words)));
        let connecting: Vec<_> = connecting.collect();
        let opened = connecting.into_iter().flat_map(|one| one.join().unwrap());
        opened.collect()
    })
}

#[test]
fn seventeen_silent_pods_keep_nobody_out() {
    allow_many_files();
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let greedy: Vec<Pod> = (0..17)
        .map(|number| scene.pod_with_identity(&format!("greedy-{number}")))
        .collect();
    let open = crowd(&greedy, b"");
    assert_eq!(open.len(), 17 * 256, "the kernel takes them all");
    assert_eq!(served(&victim, 100), 100);
    assert!(greedy.iter().all(|pod| pod.ask().status == 200));
}

#[test]
fn half_heads_take_little_memory() {
    allow_many_files();
    let scene = Scene::start(Network::Bridge);
    let greedy: Vec<Pod> = (0..8)
        .map(|number| scene.pod_with_identity(&format!("greedy-{number}")))
        .collect();
    assert_eq!(served(&greedy[0], 1), 1);
    let before = scene.daemon.memory().unwrap();
    // As long as a head may be that is waited for.
    let half = [
        b"GET /metadata HTTP/1.1\r\nhost: x\r\nx: ",
        &[b'a'; 15_000][..],
    ]
    .concat();
    let open = crowd(&greedy, &half);
    // Answered after all of these were taken in.
    assert_eq!(served(&greedy[0], 1), 1);
    let grown = scene.daemon.memory().unwrap().saturating_sub(before);
    // Eight places of each pod, and those that all share; with 16 KiB for a head, and what a
    // connection needs beside it.
    let places = greedy.len() * 8 + 512;
    assert!(
        grown < places * 40 * 1024,
        "{grown} bytes of {} connections",
        open.len()
    );
}

/// Opens connections from an address that the pod has given itself.
pub(crate) fn connect_from(
    scene: &Scene,
    pod: &Pod,
    address: Ipv4Addr,
    count: usize,
) -> Vec<tokio::net::TcpStream> {
    let open = || {
        let socket = in_namespace(pod.namespace(), || {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((address, 0)))?;
            std::io::Result::Ok(socket)
        });
        let connecting = socket.unwrap().unwrap().connect(metadata().into());
        scene.test_node.block_on(connecting).unwrap()
    };
    (0..count).map(|_| open()).collect()
}

#[test]
fn invented_addresses_keep_nobody_out() {
    allow_many_files();
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let liar = scene.test_node.add_pod().unwrap();
    let mut open = Vec::new();
    for last in 200..220 {
        let address = Ipv4Addr::new(10, 244, 0, last);
        liar.take_address(&scene.test_node, address).unwrap();
        open.extend(connect_from(&scene, &liar, address, 256));
    }
    assert_eq!(served(&victim, 100), 100);
    let newcomer = scene.pod_with_identity("newcomer");
    assert_eq!(served(&newcomer, 10), 10);
}

#[test]
fn those_who_wait_to_be_proved_keep_no_stranger_from_asking() {
    let scene = Scene::with_flags(Network::Bridge, &["--attest-wait", "20s"]);
    let liar = scene.test_node.add_pod().unwrap();
    let mut open = Vec::new();
    let stranger = scene.test_node.add_pod().unwrap();
    let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\n\r\n");
    for last in 200..208 {
        let address = Ipv4Addr::new(10, 244, 0, last);
        liar.take_address(&scene.test_node, address).unwrap();
        let waiting = connect_from(&scene, &liar, address, 32);
        for stream in &waiting {
            assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
        }
        open.extend(waiting);
    }
    for _ in 0..10 {
        assert_eq!(stranger.curl(&["-m", "3", TOKEN_URL]).status, 400);
    }
}

/// Has the machine reach the highest id of processes soon: those that are made then have lower ids than older ones.
fn begin_process_ids_anew() {
    let kernel = |name: &str| format!("/proc/sys/kernel/{name}");
    let highest: u32 = std::fs::read_to_string(kernel("pid_max"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    std::fs::write(kernel("ns_last_pid"), (highest - 100).to_string()).unwrap();
}

#[test]
fn a_pod_with_many_namespaces_delays_nobodys_proof() {
    let mut scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let mut greedy = scene.pod_with_identity("greedy");
    begin_process_ids_anew();
    greedy.make_namespaces(300).unwrap();

    // A daemon that starts looks at all pods at once.
    let (folder, poor) = (tempfile::tempdir().unwrap(), nmi());
    let script = format!("#!/bin/sh\nulimit -n 256\nexec {} \"$@\"\n", poor.display());
    let poor = folder.path().join("podid-nmi");
    std::fs::write(&poor, script).unwrap();
    std::fs::set_permissions(&poor, PermissionsExt::from_mode(0o755)).unwrap();
    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.daemon = Daemon::start(&poor, &scene.test_node, &scene.api, &[]).unwrap();
    wait_until(
        "both are proved, the pod itself by its first processes",
        || scene.attested() == 2,
    );
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
    assert_eq!(greedy.ask().token(), Some("token-of-client-greedy"));
}
