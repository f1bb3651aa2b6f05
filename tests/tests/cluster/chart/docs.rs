//! The commands of docs/install.md for kustomize and Helm, as a reader types them.

use std::fs;
use std::process::Command;

use podid_tests::manifests::toolset;
use podid_tests::pages::{self, blocks};
use podid_tests::programs::repository;
use tempfile::TempDir;

use super::life::kinds;
use super::stage::{ENDS, Stage};

/// A section of the page.
fn section(heading: &str) -> String {
    pages::section(&pages::page("docs/install.md"), heading)
}

/// A folder with what the commands name, as in a clone.
fn clone() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["charts", "crds", "kustomize"] {
        let mut copy = Command::new("cp");
        copy.arg("-r")
            .arg(repository().join(name))
            .arg(folder.path());
        assert!(copy.status().unwrap().success());
    }
    folder
}

/// Runs the commands of a section in a folder.
fn run(stage: &Stage, folder: &TempDir, commands: &[String]) {
    let path = std::env::var("PATH").unwrap();
    let tools = toolset().path().join("bin");
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{}", commands.concat())])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("KUBECONFIG", stage.kubeconfig())
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands:?}: {output:?}");
}

#[test]
fn the_section_on_helm_works_as_written() {
    let stage = Stage::enter();
    let section = section("With Helm");
    let folder = clone();
    let values = blocks(&section, "yaml").remove(0);
    let (operator, ends) = ("operator:\n", "operator:\n  podAnnotations: ");
    assert_eq!(values.matches(operator).count(), 1, "{values}");
    let values = values.replace(operator, &format!("{ends}{{{ENDS}: '0'}}\n"));
    fs::write(folder.path().join("values.yaml"), values).unwrap();
    let commands = blocks(&section, "sh");
    let removal = commands.len() - 1;
    run(&stage, &folder, &commands[..removal]);
    stage.kubectl().run(&["get", "podidentityclass/standard"]);
    run(&stage, &folder, &commands[removal..]);
    stage.until_left(&kinds());
}

#[test]
fn the_section_on_overlays_works_as_written() {
    let stage = Stage::enter();
    let folder = clone();
    // The second block is for nodes on which daemons run; the ring install runs it.
    let commands = blocks(&section("With the overlay of an environment"), "sh");
    run(&stage, &folder, &commands[..1]);
    let kubectl = stage.kubectl();
    kubectl.run(&["get", "podidentityclass/standard"]);
    stage.delete_all();
}

#[test]
fn an_overlay_of_ones_own_works_as_written() {
    let stage = Stage::enter();
    let folder = clone();
    let overlay = blocks(&section("3. An overlay of your own"), "yaml").remove(0);
    let mine = folder.path().join("kustomize/mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("kustomization.yaml"), overlay).unwrap();
    run(&stage, &folder, &blocks(&section("4. Apply it"), "sh"));
    stage.delete_all();
}
