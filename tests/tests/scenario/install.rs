//! `podid-lab install`, as a person uses it.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use podid_lab::{Flux, Lab, Lifetime, UpOptions};
use podid_tests::kubectl::Kubectl;
use podid_tests::programs;
use serde_json::Value;

/// A lab that ends with the test.
fn lab(test: &str, seed: Option<&Path>) -> Lab {
    Lab::up(UpOptions {
        name: format!("install-{test}-{}", std::process::id()),
        flux: Flux::None,
        lifetime: Lifetime::Caller,
        seed: seed.map(Path::to_path_buf),
        ..UpOptions::default()
    })
    .expect("a lab")
}

fn install(lab: &Lab) -> Output {
    install_from(&programs::repository(), lab)
}

fn install_from(folder: &Path, lab: &Lab) -> Output {
    Command::new(programs::program("podid-lab"))
        .args(["install", "--name", lab.name()])
        .current_dir(folder)
        .output()
        .expect("podid-lab starts")
}

/// Names of podid's pods that are not being ended. None is used twice.
fn pods(lab: &Lab) -> Vec<String> {
    let pods = Kubectl::of(lab).json(&["--namespace", "podid-system", "get", "pods"]);
    let pods = pods["items"].as_array().expect("pods");
    let stay = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let names = pods
        .iter()
        .filter(stay)
        .map(|pod| pod["metadata"]["name"].to_string());
    names.collect()
}

#[test]
fn podid_can_be_installed_again() {
    let lab = lab("again", None);
    let lost = install_from(Path::new("/"), &lab);
    let said = String::from_utf8_lossy(&lost.stderr);
    assert!(said.contains("go to the clone's root"), "{said}");
    assert_eq!(pods(&lab), Vec::<String>::new());

    let first = install(&lab);
    assert!(first.status.success(), "{first:?}");
    let before = pods(&lab);
    assert_eq!(before.len(), 4, "{before:?}");
    let second = install(&lab);
    assert!(second.status.success(), "{second:?}");
    let after = pods(&lab);
    assert_eq!(before.len(), after.len());
    // The programs may have been built anew: those that ran are not kept.
    let kept = after.iter().filter(|pod| before.contains(pod));
    assert_eq!(kept.count(), 0, "{before:?} and then {after:?}");
}

#[test]
fn a_seed_without_the_operator_is_refused_at_once_with_what_to_add() {
    let folder = tempfile::tempdir().expect("a folder for the seed");
    let seed = folder.path().join("seed.yaml");
    std::fs::write(&seed, "applications: [{name: somebody}]\n").expect("the seed is written");
    let lab = lab("seed", Some(&seed));
    let began = Instant::now();
    let refused = install(&lab);
    assert!(!refused.status.success(), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("no application for the operator; add `applications: [{name: podid-operator"),
        "{said}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(pods(&lab), Vec::<String>::new());

    // What is said to be added is enough to start it, and its missing rights are named.
    let added = said
        .split('`')
        .find(|words| words.starts_with("applications:"))
        .expect("words to add");
    std::fs::write(&seed, added).expect("the seed is written");
    drop(lab);
    let lab = self::lab("added", Some(&seed));
    let installed = install(&lab);
    assert!(installed.status.success(), "{installed:?}");
    let said = String::from_utf8_lossy(&installed.stderr);
    assert!(
        said.contains("the operator holds Virtual Machine Contributor nowhere"),
        "{said}"
    );
}
