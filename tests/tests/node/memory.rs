//! What is left of a token's memory.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use podid_lab::Network;

use crate::scene::Scene;

/// Allows a process to leave a core dump of any size.
fn allow_dumps(pid: u32) {
    let status = Command::new("prlimit")
        .args(["--core=unlimited:unlimited", "--pid", &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_daemon_that_crashes_leaves_no_dump_of_its_memory() {
    // A process that may leave one does: so the machine has not forbidden it to the daemon.
    let folder = tempfile::tempdir().unwrap();
    let mut other = Command::new("sleep");
    let other = other
        .arg("600")
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let mut other = other.spawn().unwrap();
    allow_dumps(other.id());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(other.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGABRT).unwrap();
    let ended = other.wait().unwrap();
    assert!(ended.core_dumped(), "this test needs core dumps: {ended}");

    let mut scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().status, 200);
    allow_dumps(scene.daemon.pid());
    let ended = scene.daemon.end(Signal::SIGABRT).unwrap();
    assert_eq!(ended.signal(), Some(Signal::SIGABRT as i32));
    assert!(!ended.core_dumped());
    let left = fs::read_dir(".").unwrap().flatten();
    assert!(
        left.map(|file| file.file_name())
            .all(|name| !name.to_string_lossy().starts_with("core"))
    );
}
