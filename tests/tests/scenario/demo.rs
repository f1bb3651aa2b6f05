//! The demo is a test: each of its steps checks what it shows.

use std::process::Command;

use podid_lab::{Lab, LabError};
use podid_tests::programs;
use serde_json::Value;

/// Runs the demo on one kind of pod network and returns its report.
fn demo(network: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder for the report");
    let report = folder.path().join("report.json");
    let output = Command::new(programs::program("xtask"))
        .args([
            "demo",
            "--network",
            network,
            "--name",
            &format!("scenario-{network}"),
        ])
        .arg("--report")
        .arg(&report)
        .current_dir(programs::repository())
        .output()
        .expect("xtask starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the demo failed\n{said}\n{complained}"
    );
    let report = std::fs::read_to_string(&report).expect("the demo writes its report");
    serde_json::from_str(&report).expect("the report is a list of steps")
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
fn a_commit_becomes_a_token_and_leaves_nothing_behind_on_a_bridge() {
    check(&demo("bridge"));
}

#[test]
fn a_commit_becomes_a_token_and_leaves_nothing_behind_on_routed_links() {
    check(&demo("routed"));
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
fn a_kept_demo_has_something_to_look_at_and_says_what_to_type() {
    let lab = Cleanup(format!("scenario-keep-{}", std::process::id()));
    let demo = Command::new(programs::program("xtask"))
        .args(["demo", "--keep", "--name", &lab.0])
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
