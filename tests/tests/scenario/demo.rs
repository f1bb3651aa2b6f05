//! The demo is a test: each of its steps checks what it shows.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use podid_lab::{Lab, LabError};
use podid_tests::programs;
use serde_json::Value;

/// Runs the demo and returns its report and what it said.
fn demo(name: &str, change: impl FnOnce(&mut Command)) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().expect("a folder for the report");
    let report = folder.path().join("report.json");
    let mut demo = Command::new(programs::program("xtask"));
    demo.args(["demo", "--name", &format!("scenario-{name}")])
        .arg("--report")
        .arg(&report)
        .current_dir(programs::repository());
    change(&mut demo);
    let output = demo.output().expect("xtask starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the demo failed\n{said}\n{complained}"
    );
    let report = std::fs::read_to_string(&report).expect("the demo writes its report");
    let steps = serde_json::from_str(&report).expect("the report is a list of steps");
    (steps, said)
}

fn check(steps: &[Value]) {
    let scenes = |name: &str| steps.iter().filter(|step| step["scene"] == name).count();
    assert!(steps.iter().all(|step| step["ok"] == true), "{steps:#?}");
    // Two pods, each with an SDK and with curl; three strangers; four places without remains.
    assert!(scenes("Pods use it") >= 5, "{steps:#?}");
    assert_eq!(scenes("Strangers are refused"), 3, "{steps:#?}");
    assert_eq!(scenes("Revert"), 4, "{steps:#?}");
}

#[test]
fn a_commit_becomes_a_token_in_a_container_and_leaves_nothing_behind() {
    let (steps, said) = demo("kubelet", |demo| {
        demo.args(["--node-agent", "kubelet"]);
    });
    check(&steps);
    // Pods of podid, and what the application's containers logged.
    let pods = said
        .lines()
        .filter(|line| line.contains("podid-") && line.contains(" 1/1 "));
    assert_eq!(pods.count(), 4, "{said}");
    for container in ["sdk", "curl"] {
        let logs = said
            .lines()
            .filter(|line| line.contains(" logs ") && line.ends_with(container));
        assert_eq!(logs.count(), 2, "{said}");
    }
}

/// Where images cannot be built, for instance: the C compiler that is found first does not work.
#[test]
fn where_no_container_can_run_the_demo_says_why_and_goes_on_with_stand_ins() {
    let folder = tempfile::tempdir().expect("a folder for a compiler");
    let compiler = folder.path().join("cc");
    std::fs::write(&compiler, "#!/bin/sh\nexit 3\n").expect("a compiler");
    std::fs::set_permissions(&compiler, Permissions::from_mode(0o755)).expect("a program");
    let own = std::env::var_os("PATH").expect("PATH");
    let path = std::iter::once(folder.path().to_owned()).chain(std::env::split_paths(&own));
    let path = std::env::join_paths(path).expect("a PATH");
    let (steps, said) = demo("stand-in", |demo| {
        demo.args(["--network", "routed"]).env("PATH", path);
    });
    check(&steps);
    let note = said.lines().find(|line| line.starts_with("note: "));
    let note = note.expect("the demo says which nodes it has");
    assert!(
        note.contains("stand-ins, which run no containers: "),
        "{note}"
    );
    assert!(note.contains("C compiler"), "{note}");
}

/// Removes a lab however its test ends.
struct Cleanup(String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        // One that is gone already is as good.
        let _ = Lab::remove(&self.0);
    }
}

/// What the demo says may be typed: the indented lines after its last scene.
fn typed(said: &str) -> String {
    let (_, rest) = said
        .split_once("Look around:\n")
        .expect("the demo says how to look around");
    let lines = rest.lines().filter_map(|line| line.strip_prefix("    "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_kept_demo_with_containers_says_what_to_type() {
    kept("kubelet", "routed");
}

#[test]
fn a_kept_demo_with_stand_ins_says_what_to_type() {
    kept("stand-in", "bridge");
}

/// A kept demo has something to look at, and what it says to type works.
fn kept(agent: &str, network: &str) {
    let lab = Cleanup(format!("scenario-keep-{agent}-{}", std::process::id()));
    let demo = Command::new(programs::program("xtask"))
        .args(["demo", "--keep", "--name", &lab.0])
        .args(["--node-agent", agent, "--network", network])
        .current_dir(programs::repository())
        .output()
        .expect("xtask starts");
    assert!(demo.status.success(), "{demo:?}");
    let script = typed(&String::from_utf8_lossy(&demo.stdout));
    let shell = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{script}")])
        .current_dir(programs::repository())
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&shell.stdout);
    assert!(shell.status.success(), "{script}\n{shell:?}");
    for kept in [
        "podidentityprofile.podid.dev/checkout",
        "azureidentity.aadpodidentity.k8s.io/",
        "azureassignedidentity.aadpodidentity.k8s.io/",
        "access_token",
    ] {
        assert!(said.contains(kept), "no {kept} in\n{said}");
    }
    // The last that is to be typed ends it.
    let gone = Lab::connect(&lab.0);
    assert!(matches!(gone, Err(LabError::NotUp(_))), "{gone:?}");
}
