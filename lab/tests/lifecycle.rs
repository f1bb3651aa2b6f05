//! Labs come, go and leave nothing, however they end. Needs root and the lab's programs; fails
//! without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_lab::monitor::{MONITOR_FILE, MonitorInfo};
use podid_lab::state::StateDir;
use podid_lab::{Lab, LabError, Lifetime, NodeKind, UpOptions};

/// Options for a small lab of a name that no other test or process uses.
fn options(test: &str) -> UpOptions {
    UpOptions {
        name: format!("t-{test}-{}", std::process::id()),
        nodes: vec![NodeKind::Uniform],
        lifetime: Lifetime::UntilDown,
        ..UpOptions::default()
    }
}

/// The lab's program, beside the folder of this test program: what cargo tells the compiler would
/// be the program of the clone in which this was compiled.
fn program() -> PathBuf {
    std::env::current_exe()
        .unwrap()
        .with_file_name("../podid-lab")
}

/// Removes the lab of a test however that ends; one that is gone already is fine.
struct Cleanup(String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        let _ = Lab::remove(&self.0);
    }
}

/// Starts the lab of a test.
fn start(test: &str) -> (Lab, Cleanup) {
    let cleanup = Cleanup(options(test).name);
    (Lab::up(options(test)).unwrap(), cleanup)
}

/// All of a running lab that the machine could keep.
struct Traces {
    info: MonitorInfo,
    dir: PathBuf,
    /// Identity of its process namespace.
    processes: u64,
}

impl Traces {
    fn of(lab: &Lab) -> Self {
        let info: MonitorInfo = lab.dir().read_json(MONITOR_FILE).unwrap();
        let namespace = fs::metadata(format!("/proc/{}/ns/pid", info.init)).unwrap();
        Self {
            info,
            dir: lab.dir().path().to_owned(),
            processes: namespace.ino(),
        }
    }

    /// Processes in the lab's process namespace, as the machine counts.
    fn processes(&self) -> Vec<String> {
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let inside = all.filter(|process| {
            fs::metadata(process.join("ns/pid")).is_ok_and(|file| file.ino() == self.processes)
        });
        inside
            .map(|process| fs::read_to_string(process.join("comm")).unwrap_or_default())
            .collect()
    }

    fn assert_processes_gone(&self) {
        eventually("the lab's processes to end", || self.processes().is_empty());
    }

    fn assert_gone(&self) {
        self.assert_processes_gone();
        eventually("the cgroup to be removed", || !self.info.cgroup.exists());
        eventually("the state directory to be removed", || !self.dir.exists());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let dir = self.dir.to_str().unwrap();
        assert!(
            !mounts.contains(dir),
            "a mount of the lab is the machine's: {mounts}"
        );
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// Links and IPv4 routes of this process's own network namespace.
fn own_network() -> (BTreeSet<String>, String) {
    let devices = fs::read_to_string("/proc/net/dev").unwrap();
    let links = devices
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
    (
        links.collect(),
        fs::read_to_string("/proc/net/route").unwrap(),
    )
}

#[test]
fn down_leaves_nothing_and_the_machines_network_is_never_touched() {
    let before = own_network();
    let (lab, _cleanup) = start("down");
    assert_eq!(own_network(), before, "while the lab is up");
    let traces = Traces::of(&lab);
    assert!(
        traces.processes().len() > 6,
        "the lab runs: {:?}",
        traces.processes()
    );

    let second = Lab::up(options("down"));
    let Err(LabError::Start { message, .. }) = second else {
        panic!("{second:?}")
    };
    assert!(message.contains("is up already"), "{message}");
    lab.status().expect("the refused one took nothing away");

    lab.down().unwrap();
    traces.assert_gone();
    assert_eq!(own_network(), before, "after the lab");
    assert!(
        !Lab::remove(&options("down").name).unwrap(),
        "there is nothing more to remove"
    );
}

#[test]
fn a_killed_init_takes_everything_along() {
    let (lab, _cleanup) = start("init");
    let traces = Traces::of(&lab);
    kill_hard(traces.info.init);
    traces.assert_gone();
}

#[test]
fn a_killed_monitor_leaves_only_what_down_removes() {
    let (lab, _cleanup) = start("monitor");
    let traces = Traces::of(&lab);
    kill_hard(traces.info.monitor);
    traces.assert_processes_gone();
    eventually("the lab to count as not up", || !lab.dir().is_running());
    assert!(matches!(Lab::connect(lab.name()), Err(LabError::NotUp(_))));
    assert!(Lab::remove(lab.name()).unwrap(), "something was left");
    traces.assert_gone();
}

#[test]
fn a_lab_starts_over_what_a_killed_one_left() {
    let (lab, _cleanup) = start("again");
    let traces = Traces::of(&lab);
    kill_hard(traces.info.monitor);
    traces.assert_processes_gone();
    let again = Lab::up(options("again")).unwrap();
    again.status().unwrap();
    again.down().unwrap();
    traces.assert_gone();
}

#[test]
fn an_interrupted_up_leaves_nothing() {
    let name = options("up").name;
    let mut up = Command::new(program())
        .args(["up", "--nodes", "1", "--name", &name])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(up.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("network")),
        "the lab began to start"
    );
    let dir = StateDir::of(&name).unwrap();
    let info: MonitorInfo = dir.read_json(MONITOR_FILE).unwrap();
    up.kill().unwrap();
    up.wait().unwrap();
    eventually("the state directory to be removed", || !dir.path().exists());
    assert!(!info.cgroup.exists(), "its cgroup is left");
}

#[test]
fn a_dropped_handle_ends_its_lab_and_no_other() {
    let mine = Lab::up(UpOptions {
        lifetime: Lifetime::Caller,
        ..options("drop")
    })
    .unwrap();
    let other = Lab::up(UpOptions {
        lifetime: Lifetime::Caller,
        ..options("other")
    })
    .unwrap();
    let traces = Traces::of(&mine);
    assert_ne!(mine.endpoints(), other.endpoints());
    drop(mine);
    traces.assert_gone();
    let status = other.status().unwrap();
    assert_eq!(status.name, other.name());
    assert_eq!(status.nodes.len(), 1);
}

#[test]
fn a_program_of_the_lab_that_cannot_run_is_named_with_its_log() {
    let tools = tempfile::tempdir().unwrap();
    let name = options("broken").name;
    // A monitor started with programs that are not there, as after a cache was cleared.
    let spec = podid_lab::spec::Spec {
        options: options("broken"),
        tools: tools.path().to_owned(),
    };
    let text = serde_json::to_string(&spec).unwrap();
    let output = podid_lab::monitor::command(&program(), &text)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .and_then(|mut monitor| {
            // Held open: a closed one would mean that the caller went away.
            let _stdin = monitor.stdin.take();
            monitor.wait_with_output()
        })
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("etcd failed: cannot start etcd"), "{said}");
    let dir = StateDir::of(&name).unwrap();
    assert!(!dir.path().exists(), "a lab that did not come up is left");
}
