//! The addresses of a daemon, when another one or another program has them already.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Daemon, wait_until};

use crate::handover::another;
use crate::scene::{Scene, nmi};

#[test]
fn the_admin_address_is_answered_by_the_active_daemon() {
    let mut scene = Scene::start(Network::Routed);
    let url = "http://127.0.0.1:8081/readyz";
    scene.api.hold();
    let next = another(&scene);
    for _ in 0..5 {
        assert_eq!(scene.daemon.get(url).as_deref(), Some("ready\n"));
    }
    scene.api.release();
    wait_until("it takes over", || next.is_ready());
    wait_until("the first has noticed", || !scene.daemon.is_ready());
    for _ in 0..5 {
        assert_eq!(next.get(url).as_deref(), Some("ready\n"));
    }
    scene.daemon.end(Signal::SIGTERM).unwrap();
    assert_eq!(next.get(url).as_deref(), Some("ready\n"));
}

/// Why a daemon does not start.
fn refusal(scene: &Scene) -> String {
    let mut daemon = Daemon::spawn(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
    assert!(!daemon.wait().unwrap().success());
    daemon.log()
}

#[test]
fn another_program_that_listens_there_is_named_and_hands_nothing_over() {
    let mut scene = Scene::start(Network::Routed);
    scene.daemon.end(Signal::SIGTERM).unwrap();
    // This program has every capability, and is not podid-nmi.
    let listener = scene
        .test_node
        .listen((scene.test_node.address, 2579))
        .unwrap();
    let said = refusal(&scene);
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    drop(listener);

    // This one is called like it, and lacks the capabilities.
    let folder = tempfile::tempdir().unwrap();
    let mut impostor = impostor(&scene, &folder.path().join("podid-nmi"));
    let said = refusal(&scene);
    let pid = impostor.id();
    impostor.kill().unwrap();
    impostor.wait().unwrap();
    assert!(
        said.contains(&format!("process {pid} (podid-nmi)")),
        "{said}"
    );
}

/// A program of this name that listens where the daemon does, as user 0 with the capabilities of a container.
fn impostor(scene: &Scene, program: &Path) -> Child {
    let python = fs::canonicalize("/usr/bin/python3").unwrap();
    fs::copy(python, program).unwrap();
    let listen = format!(
        "import socket; s = socket.create_server((\"{}\", 2579)); print(flush=True); s.accept()",
        scene.test_node.address
    );
    let started = in_namespace(scene.test_node.namespace(), || {
        Command::new("setpriv")
            .args([
                "--bounding-set=-net_admin,-sys_admin,-sys_ptrace",
                "--inh-caps=-all",
                "--",
            ])
            .arg(program)
            .args(["-c", &listen])
            .stdout(Stdio::piped())
            .spawn()
    });
    let mut impostor = started.unwrap().unwrap();
    // It says a line when it listens.
    impostor
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    impostor
}
