//! The demo is a test: each of its steps checks what it shows.

use std::process::Command;

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
